// SPDX-License-Identifier: Apache-2.0
// The tools of a driver that offers the extension "omnistore.lag/1", and of a layer that uses it
// (omnistore/ext/lag.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <omnistore/child.hpp>
#include <omnistore/driver.hpp>
#include <omnistore/ext/lag.h>

namespace omnistore {

/// The newest proof that a watch is complete. The thread of the watch renews it, and any thread may
/// read it.
class WatchProof {
public:
  using Clock = std::chrono::steady_clock;

  /// How often a driver renews the proof.
  static constexpr std::chrono::milliseconds interval{1000};

  /// Every change that was made before `time` has been reported.
  void renew(Clock::time_point time) {
    proven_.store(time.time_since_epoch().count(), std::memory_order_release);
  }
  /// Returns the age of the proof in milliseconds.
  std::int64_t age() const {
    if (!wanted_.load(std::memory_order_relaxed)) wanted_.store(true, std::memory_order_relaxed);
    const Clock::rep proven = proven_.load(std::memory_order_acquire);
    if (proven == none) return OMNISTORE_LAG_UNKNOWN;
    const Clock::duration age = Clock::now().time_since_epoch() - Clock::duration(proven);
    return std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(age).count());
  }
  /// A watch has begun. Call it before the thread of the watch waits: the reader of the age, if there
  /// will be one, reads it for the first time soon after.
  void start() {
    started_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  }
  /// Returns true if the proof must be renewed: somebody has read the age, or the watch has just
  /// begun.
  bool is_wanted() const {
    if (wanted_.load(std::memory_order_relaxed)) return true;
    const Clock::rep started = started_.load(std::memory_order_relaxed);
    return started != none &&
           Clock::now().time_since_epoch() - Clock::duration(started) < 2 * interval;
  }

private:
  static constexpr Clock::rep none = INT64_MIN;
  std::atomic<Clock::rep> proven_{none}, started_{none};
  mutable std::atomic<bool> wanted_{false};
};

/// Returns the extension of a driver whose class has the public member
/// `std::int64_t lag(void *watch)`, or null for another id. Its member `extension` calls this.
template <class T>
const void *lag_extension(const char *id) noexcept {
  static constexpr omnistore_lag table{
      sizeof(omnistore_lag), 0,
      [](void *self, void *watch) -> std::int64_t { return sdk::Table<T>::of(self).lag(watch); },
      nullptr};
  return std::string_view(id) == OMNISTORE_LAG ? &table : nullptr;
}

/// Returns the extension of a layer's child, or null if its watches cannot prove that they are
/// complete.
inline const omnistore_lag *lag_of(const Child &child) {
  const omnistore_store &store = *child.raw();
  const auto *const found =
      static_cast<const omnistore_lag *>(store.driver->extension(store.self, OMNISTORE_LAG));
  return found && OMNISTORE_HAS(omnistore_lag, found, watch) && found->watch ? found : nullptr;
}

} // namespace omnistore
