// SPDX-License-Identifier: Apache-2.0
#include "storage/node_host.hpp"

#include <algorithm>

#include <omnistore/known.hpp>
#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/call.hpp"
#include "storage/node_label.hpp"
#include "storage/node_sweep.hpp"

namespace omnistore {

Node::Host::Host(Node &node, std::shared_ptr<Tasks> tasks, std::string mount)
    : omnistore_host{sizeof(omnistore_host),
                     OMNISTORE_ABI_MAJOR,
                     OMNISTORE_ABI_MINOR,
                     0,
                     log_,
                     now_,
                     submit_,
                     event_,
                     extension_},
      node_(node), tasks_(std::move(tasks)), mount_(std::move(mount)) {}

void Node::Host::log_(const omnistore_host *host, std::uint32_t level, omnistore_bytes message) {
  without_exceptions([&] {
    const auto known = static_cast<spdlog::level::level_enum>(std::min(level, OMNISTORE_LOG_ERROR));
    spdlog::log(known, "{} ({}): {}", base::printable(self(host).mount_), self(host).node_.driver_->name,
                message.data ? base::printable(view(message)) : std::string());
  });
}

std::int64_t Node::Host::now_(const omnistore_host *) { return now_ms(); }

omnistore_status Node::Host::submit_(const omnistore_host *host, omnistore_task task, void *argument,
                                     std::uint64_t delay, std::uint32_t flags) {
  constexpr std::uint64_t year = 365ull * 24 * 3600 * 1000;
  const auto wait = std::chrono::milliseconds(std::min(delay, year));
  bool taken = false;
  const bool parallel = flags & OMNISTORE_TASK_PARALLEL;
  without_exceptions(
      [&] { taken = self(host).tasks_->submit(host, *self(host).node_.label_, task, argument, wait, parallel); });
  return taken ? OMNISTORE_OK : OMNISTORE_UNAVAILABLE;
}

void Node::Host::event_(const omnistore_host *host, const omnistore_event *removal) {
  const Known known(*removal);
  if (sound_removal(*known, self(host).node_.faults_)) without_exceptions([&] { self(host).announce(*known); });
}

void Node::Host::announce(const omnistore_event &removal) const {
  if (removal.cause == OMNISTORE_CAUSE_EVICTED) node_.meter_.here().add(Count::evictions);
  if (removal.cause == OMNISTORE_CAUSE_EXPIRED) node_.meter_.here().add(Count::expirations);
  if (node_.keeps_user_of(view(removal.key))) node_.sweep_->orphaned(view(removal.key));
  node_.tell(removal);
}

} // namespace omnistore
