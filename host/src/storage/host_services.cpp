// SPDX-License-Identifier: Apache-2.0
#include "storage/host_services.hpp"

#include <algorithm>
#include <chrono>

#include <omnistore/known.hpp>
#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/call.hpp"

namespace omnistore {

HostServices::HostServices(const base::CallLabel &label, Faults &faults, std::shared_ptr<Tasks> tasks,
                           std::function<void(const omnistore_event &)> on_removal)
    : omnistore_host{sizeof(omnistore_host),
                     OMNISTORE_ABI_MAJOR,
                     OMNISTORE_ABI_MINOR,
                     0,
                     log_,
                     now_,
                     submit_,
                     event_,
                     extension_},
      label_(label), faults_(faults), tasks_(std::move(tasks)), on_removal_(std::move(on_removal)) {}

void HostServices::log_(const omnistore_host *host, std::uint32_t level, omnistore_bytes message) {
  without_exceptions([&] {
    const auto known = static_cast<spdlog::level::level_enum>(std::min(level, OMNISTORE_LOG_ERROR));
    spdlog::log(known, "{} ({}): {}", base::printable(self(host).label_.mount), self(host).label_.driver,
                message.data ? base::printable(view(message)) : std::string());
  });
}

std::int64_t HostServices::now_(const omnistore_host *) { return now_ms(); }

omnistore_status HostServices::submit_(const omnistore_host *host, omnistore_task task, void *argument,
                                       std::uint64_t delay, std::uint32_t flags) {
  constexpr std::uint64_t year = 365ull * 24 * 3600 * 1000;
  const auto wait = std::chrono::milliseconds(std::min(delay, year));
  bool taken = false;
  const bool parallel = flags & OMNISTORE_TASK_PARALLEL;
  without_exceptions(
      [&] { taken = self(host).tasks_->submit(host, self(host).label_, task, argument, wait, parallel); });
  return taken ? OMNISTORE_OK : OMNISTORE_UNAVAILABLE;
}

void HostServices::event_(const omnistore_host *host, const omnistore_event *removal) {
  const Known known(*removal);
  if (sound_removal(*known, self(host).faults_)) without_exceptions([&] { self(host).on_removal_(*known); });
}

} // namespace omnistore
