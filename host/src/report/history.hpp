// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

namespace omnistore::report {

/// The last hour of each mount: a sample every ten seconds, in a ring of fixed size (about 10 KB for each mount). A
/// mount that is gone loses its ring. Thread-safe.
class History {
public:
  static constexpr std::chrono::seconds interval{10};
  static constexpr std::size_t length = 360;
  static constexpr std::size_t most_mounts = 1000; ///< further ones have no history

  /// Adds a sample of each mount: what changed since the last call. `time` is in Unix milliseconds. The first call only
  /// says when the host started. The counters of a mount that is new, or whose store was replaced, began at 0.
  void add(std::int64_t time, const std::vector<MountStats> &mounts);

  /// {"interval", "length", "mounts": [{mountpoint, time: [...], rate: [...], hit_rate, p50, p99, errors, evictions}]},
  /// the oldest sample first. Times are Unix milliseconds, `interval` and latencies are in seconds; rate, errors and
  /// evictions are for one second. `hit_rate` is null if nothing was read, and a latency is null if no operation was
  /// timed. Only mounts for which `shows` returns true are in it.
  boost::json::object describe(const std::function<bool(const std::string &)> &shows) const;

private:
  struct Sample {
    std::int64_t time = 0;
    float rate = 0, hit_rate = 0, p50 = 0, p99 = 0, errors = 0, evictions = 0; ///< negative: unknown
  };
  struct Totals {
    std::uint64_t operations = 0, reads = 0, hits = 0, errors = 0, evictions = 0;
    MountStats::Histogram latency; ///< of reads and writes together
  };
  struct Ring {
    Totals last;
    std::size_t next = 0, count = 0;
    std::array<Sample, length> samples;
  };
  static Totals totals_of(const MountStats &mount);
  /// `seconds` is the time since the last sample.
  static void add(Ring &ring, std::int64_t time, float seconds, Totals now);

  mutable std::mutex mutex_;
  std::int64_t last_time_ = 0;
  std::map<std::string, Ring> rings_; ///< by mountpoint
};

} // namespace omnistore::report
