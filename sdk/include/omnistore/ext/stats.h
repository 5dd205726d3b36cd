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

  /* Gives one JSON object, as a get gives a value: `sink` is begun with a meta whose value_size is the text's, and the
   * text is written. It has one or both of two members, each an object of names to whole numbers that are not negative:
   *   {"counters": {"fetches": 12}, "gauges": {"connections_in_use": 2}}
   * A counter only rises while the store is open. A gauge says how much there is at the moment. Names are of the form
   * [a-z][a-z0-9_]*, the same ones each time, none in both, at most 32 in all. It does not wait for a backend. The host
   * ignores members that it does not know. Names whose meaning is set:
   *   "fetches"             counter: values that a reader waited for while they came from an origin
   *   "refreshes"           counter: copies that were brought up to date in the background, changed or found to be the
   * same "refresh_failures"    counter: refreshes that failed "refreshes_running"   gauge: refreshes that wait or are
   * under way "connections_in_use"  gauge: connections to a backend on which somebody waits for an answer [store] */
  omnistore_status(OMNISTORE_CALL *stats)(void *self, omnistore_call *call, omnistore_sink *sink);
} omnistore_stats;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_STATS_H */
