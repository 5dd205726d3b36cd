/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/lag.h - the extension "omnistore.lag/1": the lag of a watch. A layer
 * that serves copies of a store needs to know it, since a watch whose server is cut off silently
 * reports nothing, just as one that has nothing to report.
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_LAG)`, which returns a static
 * omnistore_lag. A driver whose watch may miss changes without a RESYNC does not offer it. The host
 * provides it for every child whose driver has it.
 */
#ifndef OMNISTORE_EXT_LAG_H
#define OMNISTORE_EXT_LAG_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_LAG "omnistore.lag/1"
#define OMNISTORE_LAG_UNKNOWN INT64_MAX

typedef struct omnistore_lag {
  uint32_t size;     /* sizeof(omnistore_lag) */
  uint32_t reserved; /* 0 */

  /* Returns the age, in milliseconds, of the driver's newest proof that the watch is complete:
   * every change that was acknowledged to its writer before that moment has been reported to the
   * watcher, or a RESYNC has. Returns OMNISTORE_LAG_UNKNOWN if there is no proof yet. While the
   * backend is connected the driver renews the proof about once a second, by a request whose
   * response cannot overtake an event; while it is not, the age grows. After a gap the driver
   * reports the RESYNC before it renews the proof. Costs no more than reads of memory and of a
   * clock. [any], between `watch` and `unwatch` */
  int64_t(OMNISTORE_CALL *lag)(void *self, void *watch);

  /* Null in a driver's table. For a child, which the host gives a watch even if its driver refuses
   * one, this is `watch` without that: it fails with the driver's failure. [store] */
  omnistore_status(OMNISTORE_CALL *watch)(void *self, omnistore_call *call,
                                          const omnistore_watch_request *request,
                                          omnistore_watcher *watcher, void **watch);
} omnistore_lag;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_LAG_H */
