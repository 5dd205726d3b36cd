// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

namespace omnistore::server {

/// There is not as much memory as a request or an answer wants.
class OverBudget : public std::bad_alloc {
public:
  /// What its client is told.
  static constexpr const char *message = "Requests and answers take all the memory that they may; try again later";
  const char *what() const noexcept override { return message; }
};

/// How much memory requests and answers take, over all connections, and how much they may. A Buffer counts its memory
/// here when it takes it. Thread-safe.
class MemoryBudget {
public:
  /// `most` bytes; 0: by the machine (see memory_for_requests()).
  explicit MemoryBudget(std::uint64_t most);

  /// Up to so many bytes a buffer has in any case: the next request can be read, and an error can be answered.
  static constexpr std::size_t always = 64 * 1024;

  /// Throws OverBudget, and has taken nothing then. `granted`: it may not fail.
  void take(std::size_t bytes, bool granted) {
    const std::uint64_t now = used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (now > most_ && !granted) refuse(bytes);
    if (now > peak_.load(std::memory_order_relaxed)) raise_peak(now);
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  struct Stats {
    std::uint64_t used = 0, most = 0, peak = 0;
    std::uint64_t refused = 0; ///< how often there was not enough
  };
  Stats stats() const;

private:
  [[noreturn]] void refuse(std::size_t bytes);
  void raise_peak(std::uint64_t now);

  const std::uint64_t most_;
  std::atomic<std::uint64_t> used_{0}, peak_{0}, refused_{0};
};

/// A part of a budget, for memory that no Buffer has; null: of none. It ends with the object.
class MemoryShare {
public:
  /// Throws OverBudget.
  MemoryShare(MemoryBudget *budget, std::size_t bytes) : budget_(budget), bytes_(bytes) {
    if (budget_) budget_->take(bytes_, bytes_ <= MemoryBudget::always);
  }
  ~MemoryShare() {
    if (budget_) budget_->give_back(bytes_);
  }
  MemoryShare(const MemoryShare &) = delete;
  MemoryShare &operator=(const MemoryShare &) = delete;

private:
  MemoryBudget *const budget_;
  const std::size_t bytes_;
};

/// An eighth of the memory that the machine has, or that the process's control group allows, in bytes; at least 64 MiB
/// and at most 512 MiB.
std::uint64_t memory_for_requests();

} // namespace omnistore::server
