/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/revalidate.h - the extension "omnistore.revalidate/1": a get that sends no bytes if
 * the reader's copy is still current (HTTP's If-None-Match, RFC 9110 section 13.1.2).
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_REVALIDATE)`, which returns a
 * static omnistore_revalidate, or null if a check costs as much as a get. The host provides it for
 * every child: if the child's driver has none, the host calls stat, and then get unless the etag
 * matches.
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

  /* Reads the whole value as get does, unless its etag still equals `etag`, which is not empty and
   * came from an earlier meta. In that case it calls the sink's begin with the value's meta, writes
   * no bytes, and sets *unchanged to 1. Otherwise it sets *unchanged to 0. [store] */
  omnistore_status(OMNISTORE_CALL *get_changed)(void *self, omnistore_call *call,
                                                omnistore_bytes key,
                                                const omnistore_get_request *request,
                                                omnistore_bytes etag, omnistore_sink *sink,
                                                uint32_t *unchanged);
} omnistore_revalidate;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_REVALIDATE_H */
