// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include <omnistore/storage.hpp>

#include "report/history.hpp"

namespace omnistore::service {

/// Adds the counters of a storage to its history every ten seconds, on a thread of its own.
class HistorySampler {
public:
  explicit HistorySampler(const Storage &storage) : storage_(storage) {}
  ~HistorySampler() { stop(); }
  HistorySampler(const HistorySampler &) = delete;
  HistorySampler &operator=(const HistorySampler &) = delete;

  /// Throws std::system_error if no thread can be started.
  void start();
  /// Returns when the thread has ended, which takes at most a second.
  void stop();
  const report::History &history() const { return history_; }

private:
  void run();

  const Storage &storage_;
  report::History history_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace omnistore::service
