// SPDX-License-Identifier: Apache-2.0
// The health of stores (omnistore/ext/health.h).
#include "storage/health_report.hpp"
#include "storage/key_space.hpp"

namespace omnistore {

std::vector<StoreHealth> Storage::unhealthy() const {
  struct Asked {
    const Mount *mount;
    Hold hold;
    std::vector<HealthReport *> stores;
  };
  const std::shared_ptr<const MountTable> table = space().kept_table();
  std::vector<Asked> all;
  for (const auto &mount : table->mounts()) {
    Hold hold = space().hold(*mount);
    if (!hold || !mount->store) continue;
    std::vector<HealthReport *> stores;
    mount->store->collect_health(stores);
    if (!stores.empty()) all.push_back({mount.get(), std::move(hold), std::move(stores)});
  }
  for (const Asked &asked : all)
    for (HealthReport *store : asked.stores) store->begin();
  const auto deadline = HealthReport::Clock::now() + HealthReport::patience;
  std::vector<StoreHealth> sick;
  for (const Asked &asked : all) {
    for (HealthReport *store : asked.stores) {
      const HealthReport::Answer answer = store->wait(deadline);
      if (answer.status != Status::ok)
        sick.push_back(
            {asked.mount->mountpoint, store->driver(), asked.mount->config.optional, answer.status, answer.message});
    }
  }
  return sick;
}

} // namespace omnistore
