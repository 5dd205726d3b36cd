// SPDX-License-Identifier: Apache-2.0
// The counters of a job.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace omnistore::jobs {

/// The outcome of a key, which is one of copied to failed. `listed`, `removed` and `bytes` are counted besides.
enum class KeyOutcome : std::size_t {
  listed,   ///< found in the listing of the source, or in the dump
  copied,   ///< written to the target
  same,     ///< the target had this value already
  skipped,  ///< the target has another value, which was kept
  expired,  ///< it expired before it could be written
  gone,     ///< it was removed after it was listed
  conflict, ///< in a dry run: the target has another value
  failed,
  removed, ///< removed at the source, by a move
  bytes,   ///< the size of the values that were copied
  count
};

std::string_view outcome_name(KeyOutcome outcome);

using Counts = std::array<std::uint64_t, static_cast<std::size_t>(KeyOutcome::count)>;
inline std::uint64_t of(const Counts &counts, KeyOutcome outcome) { return counts[static_cast<std::size_t>(outcome)]; }
inline void count(Counts &counts, KeyOutcome outcome, std::uint64_t number = 1) {
  counts[static_cast<std::size_t>(outcome)] += number;
}

/// Counts to which many threads add. [any thread]
class Counters {
public:
  void add(KeyOutcome outcome, std::uint64_t count = 1) {
    counts_[static_cast<std::size_t>(outcome)].fetch_add(count, std::memory_order_relaxed);
  }
  void add(const Counts &counts) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts_[i].fetch_add(counts[i], std::memory_order_relaxed);
  }
  Counts counts() const {
    Counts result{};
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = counts_[i].load(std::memory_order_relaxed);
    return result;
  }

private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(KeyOutcome::count)> counts_{};
};

} // namespace omnistore::jobs
