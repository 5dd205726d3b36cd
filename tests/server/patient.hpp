// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <thread>

#include "host.hpp"

namespace test {

/// memory_config() with a store at `slow:` that returns nothing before the deadline.
inline omnistore::Config patient_config(std::int64_t request_timeout) {
  omnistore::Config config = memory_config();
  config.mounts["slow"].store.driver = "patient";
  config.http.request_timeout = config.admin.request_timeout = request_timeout;
  return config;
}

inline omnistore::MountStats stats_of(const omnistore::Storage &storage, const std::string &mountpoint) {
  for (const omnistore::MountStats &stats : storage.stats())
    if (stats.mountpoint == mountpoint) return stats;
  throw std::runtime_error("no mount " + mountpoint);
}

/// Returns when no call of the mount's driver is under way any more.
inline void await_idle(const omnistore::Storage &storage, const std::string &mountpoint) {
  while (stats_of(storage, mountpoint).in_flight != 0) std::this_thread::yield();
}
inline void await_calls(const omnistore::Storage &storage, const std::string &mountpoint, std::uint64_t count) {
  while (stats_of(storage, mountpoint).in_flight < count) std::this_thread::yield();
}

} // namespace test
