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

/// Refreshes in the background, so many at once at most. The host's tasks of one store run one at a time: a slow answer
/// would hold up every other key. The threads begin with the first job, and end with this.
class Workers {
public:
  static constexpr std::size_t max_waiting = 1000;

  /// `run` is called with each key on one of the threads; its call ends when this does.
  Workers(std::size_t most, std::function<void(omnistore::Call, const std::string &key)> run)
      : most_(most), run_(std::move(run)) {}
  ~Workers();

  /// False: too many wait, or no thread can be had.
  bool submit(std::string key);
  /// Waits; false: this ends.
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
