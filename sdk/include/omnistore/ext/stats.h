/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/stats.h - the extension "omnistore.stats/1": what a store counts beside what its host sees, as the
 * refreshes of a cache or the connections of a client. It shows in `omnistore stats`, in /stats and in /metrics.
 *
 * Of a driver: `driver->extension(self, OMNISTORE_STATS)` gives a static omnistore_stats, or null where it counts
 * nothing. A child has none: the host asks every store by itself.
 */
#ifndef OMNISTORE_EXT_STATS_H
#define OMNISTORE_EXT_STATS_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_STATS "omnistore.stats/1"

typedef struct omnistore_stats {
  uint32_t size;     /* sizeof(omnistore_stats) */
  uint32_t reserved; /* 0 */

  /* Gives one JSON object of names to whole numbers, each of which only rises while the store is open, as a get gives a
   * value: `sink` is begun with a meta whose value_size is the text's, and the text is written. Names are of the form
   * [a-z][a-z0-9_]*, the same ones each time, at most 32. It does not wait for a backend. A name whose meaning is set:
   *   "fetches"           values that a reader waited for while they came from an origin
   *   "refreshes"         copies that were brought up to date in the background, changed or found to be the same
   *   "refresh_failures"  refreshes that failed
   * Any thread, at any time between open and close. [store] */
  omnistore_status(OMNISTORE_CALL *stats)(void *self, omnistore_call *call, omnistore_sink *sink);
} omnistore_stats;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_STATS_H */
