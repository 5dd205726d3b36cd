/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/explain.h - the extension "omnistore.explain/1": what a store knows of a key besides its meta, for the
 * one who asks why he got what he got (`omnistore explain KEY`). A cache tells how old its copy is.
 *
 * Of a driver: `driver->extension(self, OMNISTORE_EXPLAIN)` gives a static omnistore_explain, or null where there is
 * nothing to add. A child has none: the host asks every store that is on a key's way by itself.
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

  /* Gives one JSON object about the key, as a get gives a value: `sink` is begun with a meta whose value_size is the
   * text's, and the text is written. OMNISTORE_NOT_FOUND: there is nothing to say. At most 64 KiB; no secrets, and
   * nothing of the value.
   *
   * It changes nothing, and answers from what the store itself knows: it may read its records, and asks no origin.
   * It is called before the get that is explained. Names whose meaning is set, each where the store knows it:
   *   "state"       of the copy: "fresh"; "stale": it may be served, and is to be refreshed; "old": it is served only
   *                 where the origin fails; "over": it is not served any more; "unknown": others changed it; "absent":
   *                 there is none; "missing": there is none, and the origin had no such key when it was last asked
   *   "age"         milliseconds since it was known to be the origin's
   *   "maxAge"      for how many milliseconds it is fresh
   *   "checked"     when the origin was last asked, Unix milliseconds
   *   "refreshing"  true: a refresh waits or is under way
   *   "failing"     true: a refresh failed, and the next one is put off
   * Others are the driver's own, and shown as they are. [store] */
  omnistore_status(OMNISTORE_CALL *explain)(void *self, omnistore_call *call, omnistore_bytes key,
                                            omnistore_sink *sink);
} omnistore_explain;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_EXPLAIN_H */
