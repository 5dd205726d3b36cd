// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "http/spares.hpp"

namespace omnistore::http {

/// There is not enough memory for a request or a response.
class OverBudget : public std::bad_alloc {
public:
  /// The message for the client.
  static constexpr const char *message = "Requests and responses take all the memory that they may; try again later";
  const char *what() const noexcept override { return message; }
};

/// Counts the memory of connections, requests and responses, and limits it. A Buffer counts its memory here when it
/// takes it. The blocks that are kept for the next long value count too, and are freed when other memory needs the
/// room. Thread-safe.
class MemoryBudget {
public:
  /// `most` bytes; 0: by the machine (see memory_for_requests()).
  explicit MemoryBudget(std::uint64_t most);

  /// A buffer gets this many bytes in any case, so that the next request can be read and an error can be sent.
  static constexpr std::size_t always = 64 * 1024;

  /// Throws OverBudget, and has taken nothing then. `granted`: it may not fail.
  void take(std::size_t bytes, bool granted) {
    const std::uint64_t now = used_.fetch_add(bytes) + bytes;
    if (now + spares_.kept() > most_) make_room(bytes, granted);
    if (now > peak_.load(std::memory_order_relaxed)) raise_peak(now);
  }
  /// Returns false if take() would throw; that does not count as a refusal.
  bool try_take(std::size_t bytes);
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  Spares &spares() { return spares_; }
  /// Keeps a block that was counted, which ceases to be in use. Returns false, and has done nothing, if there is no
  /// room.
  bool keep(Spares::Block block);

  struct Stats {
    std::uint64_t used = 0, most = 0, peak = 0;
    std::uint64_t spare = 0;   ///< kept for the next long value; freed when other memory needs the room
    std::uint64_t refused = 0; ///< how often there was not enough
  };
  Stats stats() const;

private:
  void make_room(std::size_t bytes, bool granted);
  void raise_peak(std::uint64_t now);

  const std::uint64_t most_;
  std::atomic<std::uint64_t> used_{0}, peak_{0}, refused_{0};
  Spares spares_;
};

/// A part of a budget, which may be null, for memory that no Buffer has. It ends with the object. For one thread at a
/// time.
class MemoryShare {
public:
  /// Throws OverBudget.
  MemoryShare(MemoryBudget *budget, std::size_t bytes) : budget_(budget) { add(bytes); }
  ~MemoryShare() {
    if (budget_) budget_->give_back(bytes_);
  }
  MemoryShare(const MemoryShare &) = delete;
  MemoryShare &operator=(const MemoryShare &) = delete;

  /// Takes more. Throws OverBudget, and has taken nothing then.
  void add(std::size_t bytes) {
    if (budget_) budget_->take(bytes, bytes_ + bytes <= MemoryBudget::always);
    bytes_ += bytes;
  }
  /// Gives back all but so many bytes.
  void shrink(std::size_t bytes) {
    if (bytes >= bytes_) return;
    if (budget_) budget_->give_back(bytes_ - bytes);
    bytes_ = bytes;
  }
  /// Returns false if add() would throw.
  bool try_add(std::size_t bytes) {
    if (budget_ && !budget_->try_take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }

private:
  MemoryBudget *const budget_;
  std::size_t bytes_ = 0;
};

/// An eighth of the memory that the machine has, or that the process's control group allows, in bytes; at least 64 MiB
/// and at most 512 MiB.
std::uint64_t memory_for_requests();

} // namespace omnistore::http
