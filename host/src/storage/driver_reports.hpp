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

/// The turn of whoever asks a driver to report: one at a time, because a driver may never come back from it, and
/// further threads would hang beside the first. The turn ends on any thread.
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

/// What a driver reports of itself: what it knows of a key (omnistore/ext/explain.h), and what it counts (ext/stats.h).
/// A driver may take as long as it likes for either, so both are asked for on threads that nobody waits for.
/// Thread-safe.
class DriverReports {
public:
  /// The host waits so long for a driver's report.
  static constexpr std::chrono::milliseconds report_time{1000};

  explicit DriverReports(DriverStore &store) : store_(store) {}
  /// Finds out what the driver reports. The store is open.
  void find();

  bool explains() const { return explains_ != nullptr; }
  ReportTurn &explaining() { return explaining_; }
  /// Returns a JSON object's text; empty: the driver knows nothing of the key.
  std::string explain(omnistore_bytes key);

  bool counts() const { return counts_ != nullptr; }
  ReportTurn &counting() { return counting_; }
  /// Asks the driver for its counters, for figures().
  void ask_counters();
  using Figure = std::pair<std::string, std::uint64_t>;
  struct Figures {
    std::vector<Figure> counters, gauges;
  };
  /// What the driver counted when it was asked last.
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
