/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/validate.h - the extension "omnistore.validate/1": what is wrong in a driver's options beyond what its
 * schema can say, such as a URL of another scheme. It lets `omnistore check` find the fault without opening the store.
 *
 * Of a driver: `driver->extension(NULL, OMNISTORE_VALIDATE)` gives a static omnistore_validate, or null if the schema
 * says everything. It belongs to the driver, not to a store, so `self` is null. A child has none.
 *
 * The host calls it before every open, when it serves, reloads, mounts and checks, and does not open a store with a
 * problem. A driver must still refuse such options in open: an older host does not call it.
 */
#ifndef OMNISTORE_EXT_VALIDATE_H
#define OMNISTORE_EXT_VALIDATE_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_VALIDATE "omnistore.validate/1"

/* Takes what is wrong. It is the host's, and valid until validate returns. */
typedef struct omnistore_problems omnistore_problems;
struct omnistore_problems {
  uint32_t size;     /* sizeof(omnistore_problems) */
  uint32_t reserved; /* 0 */

  /* Adds one problem. `option` is the option's name, or names and indexes joined by dots for a part of it
   * ("headers.Range", "writeTo.1"); empty: the options as a whole. `message` says what is wrong and what would be
   * right, in one line without a full stop, and shows no secret. Both are copied. The host drops what goes beyond 64
   * problems. [call] */
  void(OMNISTORE_CALL *add)(omnistore_problems *problems, omnistore_bytes option, omnistore_bytes message);
};

typedef struct omnistore_validate {
  uint32_t size;     /* sizeof(omnistore_validate) */
  uint32_t reserved; /* 0 */

  /* Gives every problem of the options to `problems`, and returns OMNISTORE_OK, with problems or without. `options`
   * is what open would get: it fits the schema, defaults are filled in, paths are absolute. `child_count` is the
   * number of stores that a layer will get; none of them is open. Another status, whose message is given to `call`,
   * counts as one problem of the options as a whole.
   *
   * It looks at the options alone: it opens no file or connection, asks no backend, and changes nothing. Whether a
   * folder is there or a server answers is for open to find. [driver] */
  omnistore_status(OMNISTORE_CALL *validate)(omnistore_call *call, omnistore_bytes options, uint32_t child_count,
                                             omnistore_problems *problems);
} omnistore_validate;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_VALIDATE_H */
