// SPDX-License-Identifier: Apache-2.0
// Lets the mount table be replaced without a lock or a counted pointer on the way of an operation, by counting the
// readers that may still use the old one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "storage/thread_slot.hpp"

namespace omnistore {

/// Sleepable RCU with a pair of counters a thread (McKenney, "Sleepable Read-Copy Update", 2006). A reader counts
/// itself in under the current parity, on a cache line of its own; a writer publishes, then flips the parity and waits
/// for the old one's counters to fall to zero, twice: the second time for readers that read the parity before a flip
/// and counted themselves in after it.
class Epoch {
  struct alignas(64) Slot {
    std::array<std::atomic<std::uint32_t>, 2> readers{};
  };

public:
  /// Holds back synchronize() while it lives, so it must never live through a call of a driver. May be nested.
  class Guard {
  public:
    explicit Guard(const Epoch &epoch) {
      const unsigned slot = thread_slot();
      counter_ = &epoch.slots_[slot].readers[epoch.parity_.load(std::memory_order_relaxed)];
      shared_ = slot == shared_slot;
      // Sequentially consistent, so that the count comes before the next read.
      if (shared_)
        counter_->fetch_add(1, std::memory_order_seq_cst);
      else
        counter_->store(counter_->load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
    }
    ~Guard() {
      if (shared_)
        counter_->fetch_sub(1, std::memory_order_release);
      else
        counter_->store(counter_->load(std::memory_order_relaxed) - 1, std::memory_order_release);
    }
    Guard(const Guard &) = delete;
    Guard &operator=(const Guard &) = delete;

  private:
    std::atomic<std::uint32_t> *counter_;
    bool shared_;
  };

  /// Returns when every guard that lived at the call is gone. Not while this thread holds one.
  void synchronize();

private:
  mutable std::array<Slot, thread_slots> slots_{};
  std::atomic<std::uint32_t> parity_{0};
  std::mutex writers_;
};

} // namespace omnistore
