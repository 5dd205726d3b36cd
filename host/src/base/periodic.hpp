// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace omnistore::base {

/// Calls a function on a thread of its own, again and again with a pause before each call.
class Periodic {
public:
  Periodic() = default;
  Periodic(const Periodic &) = delete;
  Periodic &operator=(const Periodic &) = delete;
  ~Periodic() { end(); }

  /// Call it once. Throws std::system_error if no thread can be started.
  void start(std::chrono::milliseconds pause, std::function<void()> call) {
    thread_ = std::thread([this, pause, run = std::move(call)] {
      while (!ends_within(pause)) run();
    });
  }
  /// Returns when the thread has ended: at once, or when a call that is under way has returned.
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  /// Returns true between start() and end().
  bool runs() const { return thread_.joinable(); }

private:
  bool ends_within(std::chrono::milliseconds pause) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, pause, [this] { return ended_; }); // by the steady clock
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

} // namespace omnistore::base
