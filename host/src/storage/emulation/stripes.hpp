// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

#include "storage/call.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {

/// The locks of a store's emulations. A write that reads first holds the lock of its key, so that nothing changes
/// between its read and its write. Several keys share a lock; a key and its sidecar always do. A thread may take a lock
/// that it holds: a layer does not know the locks of the layers above it. Thread-safe.
class Stripes {
public:
  using Lock = std::unique_lock<std::recursive_timed_mutex>;

  /// The lock is not held if the call's time was up before; the call then has a message.
  Lock lock(omnistore_call *call, std::string_view key) { return lock_in_time(mutexes_[place(key)], call); }

  /// Locks all keys of a batch, each lock once and in the order of their places, so that two batches never wait for
  /// each other in a circle. Returns false if the call's time was up before all were held.
  bool lock(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count, std::vector<Lock> &locks) {
    std::array<bool, many> wanted{};
    for (std::uint32_t i = 0; i < count; ++i) wanted[place(view(keys[i]))] = true;
    for (std::size_t i = 0; i < many; ++i)
      if (wanted[i] && !locks.emplace_back(lock_in_time(mutexes_[i], call))) return false;
    return true;
  }

private:
  static constexpr std::size_t many = 64;
  static std::size_t place(std::string_view key) {
    return std::hash<std::string_view>()(is_sidecar(key) ? owner_of(key) : key) % many;
  }

  std::array<std::recursive_timed_mutex, many> mutexes_;
};

} // namespace omnistore
