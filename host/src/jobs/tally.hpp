// SPDX-License-Identifier: Apache-2.0
// What a job has done so far.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace omnistore::jobs {

/// What can become of a key. A key counts in one of copied to failed; `listed`, `removed` and `bytes` beside them.
enum class Fate : std::size_t {
  listed,   ///< met in the listing of the source, or in the dump
  copied,   ///< written to the target
  same,     ///< the target had this value already
  skipped,  ///< the target has another value, which was kept
  expired,  ///< it ended before it could be written
  gone,     ///< it was removed between its listing and its turn
  conflict, ///< of a dry run: the target has another value
  failed,
  removed, ///< taken away at the source, by a move
  bytes,   ///< of the values that were copied
  count
};

std::string_view fate_name(Fate fate);

using Counts = std::array<std::uint64_t, static_cast<std::size_t>(Fate::count)>;
inline std::uint64_t of(const Counts &counts, Fate fate) { return counts[static_cast<std::size_t>(fate)]; }

/// Counts that many threads add to. [any thread]
class Tally {
public:
  void add(Fate fate, std::uint64_t count = 1) {
    counts_[static_cast<std::size_t>(fate)].fetch_add(count, std::memory_order_relaxed);
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
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Fate::count)> counts_{};
};

} // namespace omnistore::jobs
