// SPDX-License-Identifier: Apache-2.0
// Counts the entries and bytes of a bounded store, and compares them with its limits.
#pragma once

#include <atomic>
#include <cstdint>

namespace memory {

/// Thread-safe.
class Budget {
public:
  /// 0: no limit.
  Budget(uint64_t max_entries, uint64_t max_bytes) : max_entries_(max_entries), max_bytes_(max_bytes) {}

  uint64_t max_entries() const { return max_entries_; }
  uint64_t max_bytes() const { return max_bytes_; }
  /// Counts only in a bounded store.
  uint64_t bytes() const { return bytes_; }
  bool bounded() const { return max_entries_ != 0 || max_bytes_ != 0; }

  bool over() const {
    return (max_entries_ != 0 && entries_ > max_entries_) || (max_bytes_ != 0 && bytes_ > max_bytes_);
  }
  void add(uint64_t entries, uint64_t bytes) {
    entries_ += entries;
    bytes_ += bytes;
  }
  void take(uint64_t entries, uint64_t bytes) {
    entries_ -= entries;
    bytes_ -= bytes;
  }

  /// If the store is over its limits, subtracts one entry of `bytes` and returns true; else returns false. A thread
  /// evicts an entry only after this returned true, so that several threads together never evict one entry too many.
  bool claim(uint64_t bytes) {
    if (claim(entries_, max_entries_, 1)) return bytes_ -= bytes, true;
    if (claim(bytes_, max_bytes_, bytes)) return --entries_, true;
    return false;
  }

private:
  static bool claim(std::atomic<uint64_t> &counter, uint64_t most, uint64_t amount) {
    uint64_t value = counter;
    while (most != 0 && value > most)
      if (counter.compare_exchange_weak(value, value - amount)) return true;
    return false;
  }

  const uint64_t max_entries_, max_bytes_;
  alignas(64) std::atomic<uint64_t> entries_{0};
  std::atomic<uint64_t> bytes_{0};
};

} // namespace memory
