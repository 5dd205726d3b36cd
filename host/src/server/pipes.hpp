// SPDX-License-Identifier: Apache-2.0
// What stands between a connection's thread and a thread of the pool while a long value is on its way: a piece at a
// time is handed over, and the side that is ahead waits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string_view>

#include <omnistore/storage.hpp>

#include "server/buffer.hpp"
#include "server/message.hpp"

namespace omnistore::server {

/// A body on its way from the socket to the store. The connection gives pieces, the store's driver reads them.
class BodyPipe final : public Source {
public:
  /// `drained` is called, on the reading thread, when a piece has been read behind which give() was refused.
  /// Throws OverBudget.
  BodyPipe(MemoryBudget &budget, std::function<void()> drained)
      : drained_(std::move(drained)), piece_(&budget), driver_piece_(&budget, stream_piece) {}

  /// Hands the piece over and gets an empty buffer for it. False: the one before has not been read yet; `drained` will
  /// be called.
  bool give(Buffer &piece);
  /// All has been given.
  void finish();
  /// Returns true if all of the body has come and was read.
  bool read_whole();
  /// There will be no more: whoever reads gets this.
  void fail(std::exception_ptr failure);

  std::size_t read(char *into, std::size_t capacity) override;

private:
  const std::function<void()> drained_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Buffer piece_;
  const MemoryShare driver_piece_; ///< what the driver takes to hold a piece
  std::size_t read_ = 0;           ///< of the piece
  bool refused_ = false;
  bool finished_ = false;
  std::exception_ptr failure_;
};

/// An answer on its way from the store to the socket.
class AnswerPipe {
public:
  /// `ready` is called, on the writing thread, when there is something to take. `enter` is asked, on that thread and
  /// before the first piece, whether the thread may be kept waiting for a slow client.
  AnswerPipe(MemoryBudget &budget, std::function<void()> ready, std::function<bool()> enter)
      : ready_(std::move(ready)), enter_(std::move(enter)), piece_(&budget), driver_piece_(&budget, 0) {}

  /// Returns true if the writing thread may use the pipe. False: it must give up, and come back on a thread that may.
  /// Throws OverBudget.
  bool enter();
  /// From now on enter() returns true.
  void let_in() { entered_ = true; }

  /// Hands a piece over and gets an empty buffer for it, once the one before has been taken. Throws
  /// Error(unavailable) when the client has gone.
  void give(Buffer &piece);
  /// Whether something was given: a part of the answer may have gone out.
  bool used() const { return used_; }

  /// Puts what was given into `out`, which must be empty. False: there is nothing.
  bool take(Buffer &out);
  /// Nobody takes anything any more.
  void abandon();

private:
  const std::function<void()> ready_;
  const std::function<bool()> enter_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Buffer piece_;
  MemoryShare driver_piece_; ///< what the driver takes to hold a piece; for the writing thread alone, as the next
  bool counted_ = false;
  bool entered_ = false;
  bool used_ = false;
  bool abandoned_ = false;
};

} // namespace omnistore::server
