/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/stats.h - the extension "omnistore.stats/1": driver-specific counters and gauges,
 * such as the number of a cache's refreshes or of a client's connections. `omnistore stats`, /stats
 * and /metrics show them.
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_STATS)`, which returns a static
 * omnistore_stats, or null if it counts nothing. A child has none: the host itself reads those of
 * every store.
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

  /* Writes one JSON object to `sink`, as get writes a value: begin with a meta whose value_size is
   * the text's length, then write. It has one or both of two members, each an object of names to
   * whole numbers that are not negative:
   *   {"counters": {"fetches": 12}, "gauges": {"connections_in_use": 2}}
   * A counter only rises while the store is open. A gauge is the present amount of something. Names
   * have the form [a-z][a-z0-9_]*. They are the same at each call, none is in both members, and
   * there are at most 32 in all. The function does not wait for a backend. The host ignores members
   * that it does not know. Some names have a fixed meaning:
   *   "fetches"             counter  values that a reader waited for while they came from an origin
   *   "refreshes"           counter  copies that were checked or replaced in the background
   *   "refresh_failures"    counter  refreshes that failed
   *   "refreshes_running"   gauge    refreshes that wait or run
   *   "connections_in_use"  gauge    backend connections on which a response is awaited
   *   "bytes", "keys"       gauge    the bytes that the store takes, and its values. [store] */
  omnistore_status(OMNISTORE_CALL *stats)(void *self, omnistore_call *call, omnistore_sink *sink);
} omnistore_stats;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_STATS_H */
