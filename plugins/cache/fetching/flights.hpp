// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/call.hpp>

namespace cache {

/// Allows one request to the origin, or one write, at a time for each key. Others wait, or continue without.
/// Thread-safe.
class Flights {
public:
  /// Held while a key is requested from the origin or written.
  class Flight {
  public:
    Flight() = default;
    Flight(Flights *of, std::string key) : of_(of), key_(std::move(key)) {}
    Flight(Flight &&other) noexcept : of_(std::exchange(other.of_, nullptr)), key_(std::move(other.key_)) {}
    Flight &operator=(Flight &&) = delete;
    ~Flight() { land(); }
    explicit operator bool() const { return of_ != nullptr; }
    void land() {
      if (Flights *const of = std::exchange(of_, nullptr)) of->land(key_);
    }

  private:
    Flights *of_ = nullptr;
    std::string key_;
  };

  /// Returns an empty flight if one is under way.
  Flight try_begin(std::string_view key) {
    const std::lock_guard lock(mutex_);
    return keys_.emplace(key).second ? Flight(this, std::string(key)) : Flight();
  }

  /// Waits until no other flight of the key is under way. Returns an empty flight if the caller's time is over.
  Flight begin(omnistore::Call call, std::string_view key) {
    std::unique_lock lock(mutex_);
    while (!keys_.emplace(key).second) {
      const std::int64_t left = call.remaining();
      if (left <= 0) return {};
      // Check from time to time that the caller is still there.
      landed_.wait_for(lock, std::chrono::milliseconds(std::min<std::int64_t>(left, 200)));
    }
    return Flight(this, std::string(key));
  }

  /// Returns a number that changes whenever a flight of the key ends. If it has changed, the copy may have changed too.
  /// Other keys share the number, so it may also change without reason.
  std::uint64_t landings(std::string_view key) const { return landings_[slot_of(key)].load(std::memory_order_acquire); }

private:
  void land(const std::string &key) {
    {
      const std::lock_guard lock(mutex_);
      keys_.erase(keys_.find(key));
      landings_[slot_of(key)].fetch_add(1, std::memory_order_release);
    }
    landed_.notify_all();
  }

  static constexpr std::size_t slots = 256;
  static std::size_t slot_of(std::string_view key) { return std::hash<std::string_view>{}(key) % slots; }

  std::mutex mutex_;
  std::condition_variable landed_;
  std::array<std::atomic<std::uint64_t>, slots> landings_{};
  std::set<std::string, std::less<>> keys_;
};

} // namespace cache
