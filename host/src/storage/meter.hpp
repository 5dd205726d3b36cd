// SPDX-License-Identifier: Apache-2.0
// Counters of a store, written by many threads without sharing cache lines.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "storage/thread_slot.hpp"

namespace omnistore {

/// The events that are counted. Outcomes such as a failed condition are neither writes nor errors.
enum class Count : unsigned {
  hits,
  misses,
  read_errors,
  writes,
  removes,
  write_errors,
  lists,
  bytes_read,
  bytes_written,
  evictions,
  expirations,
  last_ = expirations,
};

/// How many kinds of failure there are: statuses are 0, 10, 20, ..., 130, and one has a place of its own after them.
inline constexpr std::size_t status_kinds = 15, cancelled_kind = status_kinds - 1, internal_kind = status_kinds - 2;

/// The upper bounds of the latency buckets in nanoseconds; the last bucket has none.
inline constexpr std::array<std::int64_t, 21> latency_bounds_ns = {
    250,        500,        1'000,      2'500,       5'000,       10'000,        25'000,
    50'000,     100'000,    250'000,    500'000,     1'000'000,   2'500'000,     5'000'000,
    10'000'000, 25'000'000, 50'000'000, 100'000'000, 500'000'000, 1'000'000'000, 10'000'000'000};

class Meter {
  using Cell = std::atomic<std::uint64_t>;
  struct alignas(64) Block {
    std::array<Cell, static_cast<unsigned>(Count::last_) + 1> counts{};
    std::atomic<std::uint32_t> ticks{0};
    std::atomic<std::int32_t> in_flight{0};
    std::array<Cell, status_kinds> failures{}; ///< by kind
    struct Latency {
      std::array<Cell, latency_bounds_ns.size() + 1> counts{};
      Cell sum_ns{0};
    };
    std::array<Latency, 2> latency{};
  };

public:
  struct Histogram {
    std::array<std::uint64_t, latency_bounds_ns.size() + 1> counts{};
    std::uint64_t sum_ns = 0;
  };
  struct Totals {
    std::array<std::uint64_t, static_cast<unsigned>(Count::last_) + 1> counts{};
    std::array<Histogram, 2> latency{};                 ///< reads, writes
    std::array<std::uint64_t, status_kinds> failures{}; ///< by kind
    std::int64_t in_flight = 0;
    std::uint64_t operator[](Count count) const { return counts[static_cast<unsigned>(count)]; }
  };
  enum Kind : unsigned { read, write };

  Meter() = default;
  ~Meter();
  Meter(const Meter &) = delete;
  Meter &operator=(const Meter &) = delete;

  /// This thread's place in the meter, for the length of one operation.
  class Here {
  public:
    void add(Count count, std::uint64_t by = 1) { bump(block_.counts[static_cast<unsigned>(count)], by); }
    /// Counts an operation that failed, beside its Count.
    void fail(std::int32_t status) {
      const auto kind = static_cast<std::size_t>(status) / 10; // a status that is none counts as internal
      bump(block_.failures[status == 85                                ? cancelled_kind
                           : status % 10 == 0 && kind <= internal_kind ? kind
                                                                       : internal_kind],
           1);
    }
    /// Counts the begin (1) or the end (-1) of an operation on this thread.
    void under_way(std::int32_t change) {
      if (shared_)
        block_.in_flight.fetch_add(change, std::memory_order_relaxed);
      else
        block_.in_flight.store(block_.in_flight.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
    }
    /// Returns true if this operation's time should be taken: one in `every`.
    bool due(unsigned every) {
      const auto count = block_.ticks.load(std::memory_order_relaxed);
      block_.ticks.store(count + 1, std::memory_order_relaxed); // in the shared slot a lost count does no harm
      return count % every == 0;
    }
    void time(Kind kind, std::int64_t nanoseconds);

  private:
    friend class Meter;
    Here(Block &block, bool shared) : block_(block), shared_(shared) {}
    /// Counts without a read-modify-write if one thread has the slot alone.
    void bump(Cell &cell, std::uint64_t by) {
      if (shared_)
        cell.fetch_add(by, std::memory_order_relaxed);
      else
        cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    Block &block_;
    bool shared_;
  };

  Here here() {
    const unsigned slot = thread_slot();
    Block *block = blocks_[slot].load(std::memory_order_acquire);
    return {block ? *block : make(slot), slot == shared_slot};
  }

  Totals totals() const;

private:
  Block &make(unsigned slot);

  std::array<std::atomic<Block *>, thread_slots> blocks_{};
};

} // namespace omnistore
