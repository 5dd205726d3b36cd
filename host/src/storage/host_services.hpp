// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <omnistore/driver.h>

#include "base/in_flight.hpp"
#include "storage/contract.hpp"
#include "storage/tasks.hpp"

namespace omnistore {

/// The services that one store is given: omnistore_host.
class HostServices : public omnistore_host {
public:
  HostServices(const base::CallLabel &label, Faults &faults, std::shared_ptr<Tasks> tasks,
               std::function<void(const omnistore_event &)> on_removal);
  ~HostServices() { tasks_->forget(this); }
  /// No task of the store runs or will run after it.
  void drop_tasks() { tasks_->drop(this); }

private:
  static const HostServices &self(const omnistore_host *host) { return *static_cast<const HostServices *>(host); }
  static void OMNISTORE_CALL log_(const omnistore_host *host, std::uint32_t level, omnistore_bytes message);
  static std::int64_t OMNISTORE_CALL now_(const omnistore_host *);
  static omnistore_status OMNISTORE_CALL submit_(const omnistore_host *host, omnistore_task task, void *argument,
                                                 std::uint64_t delay, std::uint32_t flags);
  static void OMNISTORE_CALL event_(const omnistore_host *host, const omnistore_event *removal);
  static const void *OMNISTORE_CALL extension_(const omnistore_host *, const char *) { return nullptr; }

  const base::CallLabel &label_;
  Faults &faults_;
  const std::shared_ptr<Tasks> tasks_;
  const std::function<void(const omnistore_event &)> on_removal_;
};

} // namespace omnistore
