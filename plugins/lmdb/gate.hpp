// SPDX-License-Identifier: Apache-2.0
// The gate of the map: many transactions may be inside at once, or one that changes the map, alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <omnistore/call.hpp>

namespace lmdb {

/// Safe for threads. To go in and out costs two atomic operations while nobody wants to be alone.
class Gate {
public:
  /// Waits while somebody is alone inside, until the deadline. Throws Failure.
  void enter(omnistore::Call call) {
    inside_.fetch_add(1);
    if (closed_.load()) wait_to_enter(call);
  }
  void leave() noexcept {
    if (inside_.fetch_sub(1) == 1 && closed_.load()) wake();
  }

  /// Being alone inside. The constructor waits until the others have left, at most ten seconds, and nobody else comes
  /// in meanwhile; throws Failure.
  class Alone {
  public:
    Alone(Gate &gate, omnistore::Call call);
    Alone(const Alone &) = delete;
    Alone &operator=(const Alone &) = delete;
    ~Alone();

  private:
    Gate &gate_;
    std::unique_lock<std::mutex> one_;
  };

private:
  void wait_to_enter(omnistore::Call call);
  void open() noexcept;
  void wake() noexcept;

  std::atomic<std::int64_t> inside_{0};
  std::atomic<bool> closed_{false};
  std::mutex alone_; ///< of those that want to be alone, one at a time
  std::mutex mutex_;
  std::condition_variable changed_;
};

} // namespace lmdb
