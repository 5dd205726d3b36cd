// SPDX-License-Identifier: Apache-2.0
// How much a bounded store holds, and how much it may hold.
#pragma once

#include <atomic>
#include <cstdint>

namespace memory {

/// Safe for threads.
class Budget {
public:
  /// 0: no limit.
  Budget(uint64_t most_entries, uint64_t most_bytes) : most_entries_(most_entries), most_bytes_(most_bytes) {}

  uint64_t most_entries() const { return most_entries_; }
  uint64_t most_bytes() const { return most_bytes_; }
  bool bounded() const { return most_entries_ != 0 || most_bytes_ != 0; }

  bool over() const {
    return (most_entries_ != 0 && entries_ > most_entries_) || (most_bytes_ != 0 && bytes_ > most_bytes_);
  }
  void add(uint64_t entries, uint64_t bytes) {
    entries_ += entries;
    bytes_ += bytes;
  }
  void take(uint64_t entries, uint64_t bytes) {
    entries_ -= entries;
    bytes_ -= bytes;
  }

  /// Takes off one entry of `bytes` where there is too much; false, and nothing taken off, where at that moment there
  /// is not. As an entry is evicted only after this, threads that evict at once do not evict one too many.
  bool claim(uint64_t bytes) {
    if (claim(entries_, most_entries_, 1)) return bytes_ -= bytes, true;
    if (claim(bytes_, most_bytes_, bytes)) return --entries_, true;
    return false;
  }

private:
  static bool claim(std::atomic<uint64_t> &counter, uint64_t most, uint64_t amount) {
    uint64_t value = counter;
    while (most != 0 && value > most)
      if (counter.compare_exchange_weak(value, value - amount)) return true;
    return false;
  }

  const uint64_t most_entries_, most_bytes_;
  alignas(64) std::atomic<uint64_t> entries_{0};
  std::atomic<uint64_t> bytes_{0};
};

} // namespace memory
