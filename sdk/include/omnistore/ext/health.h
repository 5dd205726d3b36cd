/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/ext/health.h - the extension "omnistore.health/1": checks that a store can do its
 * work now, for example that its backend responds. The host's /ready checks every open store that
 * has it.
 *
 * A driver offers it through `driver->extension(self, OMNISTORE_HEALTH)`, which returns a static
 * omnistore_health, or null if an open store is always healthy. A child has none: a layer that has
 * the extension reports for its children, and the host itself checks the children of other layers.
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

  /* Checks that the backend responds, with one short request that changes nothing. Returns
   * OMNISTORE_OK if the store can do its work; else the status that operations would fail with, and
   * reports the reason to `call`. The call has a short deadline, and the host waits no longer than
   * that. The host calls this at most once a second. [store] */
  omnistore_status(OMNISTORE_CALL *health)(void *self, omnistore_call *call);
} omnistore_health;

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_EXT_HEALTH_H */
