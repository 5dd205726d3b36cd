// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <omnistore/call.hpp>

namespace cache {

/// A worker pool for refreshes in the background. It has threads of its own, since the host runs the tasks of a store
/// one at a time, and one slow response would delay all other keys. A thread begins when a job needs it, and ends with
/// this object.
class Workers {
public:
  static constexpr std::size_t max_waiting = 1000;

  /// The threads call `run` with each key. Its call ends when this object does.
  Workers(std::size_t most, std::function<void(omnistore::Call, const std::string &key)> run)
      : most_(most), run_(std::move(run)) {}
  ~Workers();

  /// Returns false if too many keys wait, or no thread can be started.
  bool submit(std::string key);
  /// Waits. Returns false if this object is being destroyed.
  bool pause(std::chrono::milliseconds time);

private:
  class RefreshCall;
  void work();

  const std::size_t most_;
  const std::function<void(omnistore::Call, const std::string &)> run_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  std::atomic<bool> stopping_{false};
};

} // namespace cache
