/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/revalidate.h - the extension "omnistore.revalidate/1": a get that gives nothing where the reader's copy
 * is still the value (HTTP's If-None-Match, RFC 9110 section 13.1.2).
 *
 * Of a driver: `driver->extension(self, OMNISTORE_REVALIDATE)` gives a static omnistore_revalidate, or null where a get
 * costs no more than asking. Of a child every host gives one: where its driver has none, by a stat and, where the etag
 * is another or none is known, a get.
 */
#ifndef OMNISTORE_EXT_REVALIDATE_H
#define OMNISTORE_EXT_REVALIDATE_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_REVALIDATE "omnistore.revalidate/1"

typedef struct omnistore_revalidate {
  uint32_t size;     /* sizeof(omnistore_revalidate) */
  uint32_t reserved; /* 0 */

  /* As get, but where the value's etag is `etag` (not empty), as meta gave it, the value is not given out: `sink` is
   * begun with its meta, no bytes follow, and *unchanged becomes 1. Else *unchanged becomes 0. The request asks for
   * the whole value. [store] */
  omnistore_status(OMNISTORE_CALL *get_changed)(void *self, omnistore_call *call, omnistore_bytes key,
                                                const omnistore_get_request *request, omnistore_bytes etag,
                                                omnistore_sink *sink, uint32_t *unchanged);
} omnistore_revalidate;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_REVALIDATE_H */
