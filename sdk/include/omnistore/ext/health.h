/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/health.h - the extension "omnistore.health/1": whether a store can do its work now, such as whether its
 * backend answers. The host's /ready asks every open store that has it.
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_HEALTH)`, which returns a static omnistore_health, or
 * null if an open store is always healthy. A child has none: a layer that has the extension speaks for its children,
 * and the host asks those of any other layer by itself.
 */
#ifndef OMNISTORE_EXT_HEALTH_H
#define OMNISTORE_EXT_HEALTH_H

#include <omnistore/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMNISTORE_HEALTH "omnistore.health/1"

typedef struct omnistore_health {
  uint32_t size;     /* sizeof(omnistore_health) */
  uint32_t reserved; /* 0 */

  /* Asks the backend for a sign of life, in one short request that changes nothing. Returns OMNISTORE_OK if the store
   * can do its work; else the status that operations would fail with, and the reason is given to `call`. The call has a
   * short deadline, and the host waits no longer than that. The host asks at most once a second. [store] */
  omnistore_status(OMNISTORE_CALL *health)(void *self, omnistore_call *call);
} omnistore_health;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_HEALTH_H */
