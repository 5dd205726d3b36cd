/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/explain.h - the extension "omnistore.explain/1": describes what a store knows of a
 * key besides its meta, such as the age of a cache's copy. `omnistore explain KEY` shows it.
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_EXPLAIN)`, which returns a static
 * omnistore_explain, or null if the driver has nothing to add. A child has none: the host itself
 * calls every store on a key's way.
 */
#ifndef OMNISTORE_EXT_EXPLAIN_H
#define OMNISTORE_EXT_EXPLAIN_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_EXPLAIN "omnistore.explain/1"

typedef struct omnistore_explain {
  uint32_t size;     /* sizeof(omnistore_explain) */
  uint32_t reserved; /* 0 */

  /* Writes one JSON object about the key to `sink`, as get writes a value: begin with a meta whose
   * value_size is the text's length, then write. Returns OMNISTORE_NOT_FOUND if there is nothing to
   * say. The text has at most 64 KiB, no secrets, and no part of the value.
   *
   * It changes nothing and uses only what the store itself knows: it may read its own records, but
   * sends no request to an origin. The host calls it before the get that is explained. Some names
   * have a fixed meaning; a store that knows them gives them:
   *   "state"       the state of the copy, one of
   *                   "fresh"    up to date
   *                   "stale"    may be served, and needs a refresh
   *                   "old"      is served only if the origin fails
   *                   "over"     is not served any more
   *                   "unknown"  was changed by others
   *                   "absent"   there is no copy
   *                   "missing"  there is no copy, and the origin had no such key at the last check
   *   "age"         milliseconds since the copy was last known to equal the origin's value
   *   "maxAge"      milliseconds for which the copy is fresh
   *   "checked"     when the origin was last checked, in Unix milliseconds
   *   "refreshing"  true if a refresh waits or runs
   *   "failing"     true if a refresh failed and the next one is delayed
   * The driver may add names of its own, which are shown unchanged. [store] */
  omnistore_status(OMNISTORE_CALL *explain)(void *self, omnistore_call *call, omnistore_bytes key,
                                            omnistore_sink *sink);
} omnistore_explain;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_EXPLAIN_H */
