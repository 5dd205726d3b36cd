// SPDX-License-Identifier: Apache-2.0
// Which stores are not healthy (omnistore/ext/health.h).
#include "storage/node_health.hpp"
#include "storage/storage_impl.hpp"

namespace omnistore {

std::vector<StoreHealth> Storage::unhealthy() const {
  struct Asked {
    const Mount *mount;
    Hold hold;
    std::vector<Node::Health *> stores;
  };
  const std::shared_ptr<const MountTable> table = impl_->kept_table();
  std::vector<Asked> all;
  for (const auto &mount : table->mounts()) {
    Hold hold = impl_->hold(*mount);
    if (!hold || !mount->node) continue;
    std::vector<Node::Health *> stores;
    mount->node->collect_health(stores);
    if (!stores.empty()) all.push_back({mount.get(), std::move(hold), std::move(stores)});
  }
  for (const Asked &asked : all)
    for (Node::Health *store : asked.stores) store->begin();
  const auto deadline = Node::Health::Clock::now() + Node::Health::patience;
  std::vector<StoreHealth> sick;
  for (const Asked &asked : all) {
    for (Node::Health *store : asked.stores) {
      const Node::Health::Answer answer = store->wait(deadline);
      if (answer.status != Status::ok)
        sick.push_back(
            {asked.mount->mountpoint, store->driver(), asked.mount->config.optional, answer.status, answer.message});
    }
  }
  return sick;
}

} // namespace omnistore
