/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/validate.h - the extension "omnistore.validate/1": finds problems of a driver's
 * options that its schema cannot express, such as a URL of another scheme. It lets
 * `omnistore check` find them without opening the store.
 *
 * A driver offers it through `driver->extension(NULL, OMNISTORE_VALIDATE)`, which returns a static
 * omnistore_validate, or null if the schema says everything. It belongs to the driver, not to a
 * store, so `self` is null. A child has none.
 *
 * The host calls it before every open, when it serves, reloads, mounts and checks, and does not
 * open a store whose options have a problem. A driver must still refuse such options in open: an
 * older host does not call this function.
 */
#ifndef OMNISTORE_EXT_VALIDATE_H
#define OMNISTORE_EXT_VALIDATE_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_VALIDATE "omnistore.validate/1"

/* Collects problems. It belongs to the host and is valid until validate returns. */
typedef struct omnistore_problems omnistore_problems;
struct omnistore_problems {
  uint32_t size;     /* sizeof(omnistore_problems) */
  uint32_t reserved; /* 0 */

  /* Adds one problem. `option` is the option's name, or names and indexes joined by dots for a part
   * of it ("headers.Range", "writeTo.1"), or empty for the options as a whole. `message` says what
   * is wrong and what would be right, in one line without a full stop and without secrets. Both are
   * copied. The host keeps the first 64 problems. [call] */
  void(OMNISTORE_CALL *add)(omnistore_problems *problems, omnistore_bytes option,
                            omnistore_bytes message);
};

typedef struct omnistore_validate {
  uint32_t size;     /* sizeof(omnistore_validate) */
  uint32_t reserved; /* 0 */

  /* Adds every problem of the options to `problems`, and returns OMNISTORE_OK, with problems or
   * without. `options` is the text that open would receive: it fits the schema, defaults are filled
   * in, and paths are absolute. `child_count` is the number of stores that a layer will receive;
   * none of them is open. Any other status, with the message that was reported to `call`, counts as
   * one problem of the options as a whole.
   *
   * It looks at the options alone: it opens no file or connection, and changes nothing. Only open
   * finds out that a folder is missing or that a server does not respond. [driver] */
  omnistore_status(OMNISTORE_CALL *validate)(omnistore_call *call, omnistore_bytes options,
                                             uint32_t child_count, omnistore_problems *problems);
} omnistore_validate;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_VALIDATE_H */
