// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>

namespace omnistore::base {

/// Hands a long value from one thread to another, a piece at a time, so that no more than one piece is in memory and
/// the faster side waits. `Piece` is a buffer with empty(), size(), data(), swap() and erase().
///
/// Each function belongs to one of the two threads. A side that must not wait uses try_give() or try_take().
template <class Piece>
class PieceChannel {
public:
  template <class... Arguments>
  explicit PieceChannel(Arguments &&...of_slot) : slot_(std::forward<Arguments>(of_slot)...) {}

  // The giving thread.

  /// Hands the piece over in exchange for an empty buffer. Returns false if the piece before has not been read; read()
  /// reports it when it has.
  bool try_give(Piece &piece) {
    const std::lock_guard lock(mutex_);
    if (!slot_.empty()) {
      wants_room_ = true;
      return false;
    }
    slot_.swap(piece);
    changed_.notify_one();
    return true;
  }
  /// Waits until the piece can be handed over. Returns false if the other side has abandoned the channel.
  bool give(Piece &piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return slot_.empty() || abandoned_; });
    if (abandoned_) return false;
    slot_.swap(piece);
    changed_.notify_one();
    return true;
  }
  /// Says that there are no further pieces.
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_one();
  }
  /// Says that there are no further pieces because of a failure, which read() throws. Only the first one counts.
  void fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    changed_.notify_one();
  }

  // The taking thread.

  /// Waits for bytes and copies at most `capacity` of them. Returns 0 at the end. Sets `made_room` if a try_give() that
  /// was refused would now succeed. Throws the failure.
  std::size_t read(char *into, std::size_t capacity, bool &made_room) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !slot_.empty() || finished_ || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    const std::size_t size = std::min(capacity, slot_.size() - read_);
    if (size == 0) return 0;
    std::memcpy(into, slot_.data() + read_, size);
    read_ += size;
    if (read_ < slot_.size()) return size;
    slot_.erase(0, read_);
    read_ = 0;
    made_room = std::exchange(wants_room_, false);
    changed_.notify_one();
    return size;
  }
  /// Swaps the piece with `into`, which must be empty. Returns false if there is none.
  bool try_take(Piece &into) {
    const std::lock_guard lock(mutex_);
    if (slot_.empty()) return false;
    slot_.swap(into);
    changed_.notify_one();
    return true;
  }
  /// Says that nothing more will be taken.
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_one();
  }
  /// Returns true if all pieces have been given and read.
  bool is_drained() {
    const std::lock_guard lock(mutex_);
    return finished_ && slot_.empty();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Piece slot_;
  std::size_t read_ = 0; ///< bytes of the slot
  bool wants_room_ = false, finished_ = false, abandoned_ = false;
  std::exception_ptr failure_;
};

} // namespace omnistore::base
