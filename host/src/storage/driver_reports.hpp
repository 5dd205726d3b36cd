// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <omnistore/ext/explain.h>
#include <omnistore/ext/stats.h>

#include "storage/driver_store.hpp"

namespace omnistore {

/// The turn to call a driver for a report: one at a time, because a driver may never return from it, and further
/// threads would hang beside the first. The turn ends on any thread.
class ReportTurn {
public:
  using Clock = std::chrono::steady_clock;
  /// Returns false if another turn is not over at this time, or has lasted for longer than report_time.
  bool begin(Clock::time_point until);
  void end();
  /// Returns true when no turn is under way, and false as begin() does.
  bool over(Clock::time_point until);

private:
  bool await(std::unique_lock<std::mutex> &lock, Clock::time_point until);
  std::mutex mutex_;
  std::condition_variable ended_;
  bool taken_ = false;
  Clock::time_point since_;
};

/// The reports of a driver: its knowledge of a key (omnistore/ext/explain.h), and its counters (ext/stats.h). A driver
/// may take as long as it likes for either, so threads that nobody waits for make both calls. Thread-safe.
class DriverReports {
public:
  /// The host waits so long for a driver's report.
  static constexpr std::chrono::milliseconds report_time{1000};

  explicit DriverReports(DriverStore &store) : store_(store) {}
  /// Finds out which reports the driver has. The store is open.
  void find();

  bool explains() const { return explains_ != nullptr; }
  ReportTurn &explaining() { return explaining_; }
  /// Returns a JSON object's text; empty if the driver knows nothing of the key.
  std::string explain(omnistore_bytes key);

  bool counts() const { return counts_ != nullptr; }
  ReportTurn &counting() { return counting_; }
  /// Gets the driver's counters for figures().
  void ask_counters();
  using Figure = std::pair<std::string, std::uint64_t>;
  struct Figures {
    std::vector<Figure> counters, gauges;
  };
  /// Returns the driver's last counters.
  Figures figures();

private:
  template <typename Ask>
  std::string text_of(const char *operation, Ask ask);

  DriverStore &store_;
  const omnistore_explain *explains_ = nullptr;
  const omnistore_stats *counts_ = nullptr;
  ReportTurn counting_, explaining_;
  std::mutex counted_mutex_; ///< for counted_
  std::string counted_;
};

} // namespace omnistore
