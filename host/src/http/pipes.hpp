// SPDX-License-Identifier: Apache-2.0
// The two ways of a long value between a connection's thread and a thread of the worker pool.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include "base/piece_channel.hpp"
#include "http/buffer.hpp"
#include "http/message.hpp"

namespace omnistore::http {

/// A request body on its way from the socket to a store. The connection gives pieces with try_give(), finish() and
/// fail(); a thread of the pool reads them.
class BodyPipe : public base::PieceChannel<Buffer> {
public:
  /// `has_room` is called on the reading thread when a piece that try_give() refused can be given. Throws OverBudget.
  BodyPipe(MemoryBudget &budget, std::function<void()> has_room)
      : PieceChannel(&budget), has_room_(std::move(has_room)), driver_piece_(&budget, stream_piece) {}

  std::size_t read(char *into, std::size_t capacity) {
    bool made_room = false;
    const std::size_t size = PieceChannel::read(into, capacity, made_room);
    if (made_room) has_room_();
    return size;
  }

private:
  const std::function<void()> has_room_;
  const MemoryShare driver_piece_; ///< the memory in which the driver holds a piece
};

/// A response body on its way from a store to the socket. A thread of the pool gives pieces; the connection takes them
/// with try_take().
class ResponsePipe : private base::PieceChannel<Buffer> {
public:
  /// `ready` is called on the giving thread after each piece. `enter` is called there before the first piece. It
  /// returns true if a slow client may keep the thread waiting.
  ResponsePipe(MemoryBudget &budget, std::function<void()> ready, std::function<bool()> enter)
      : PieceChannel(&budget), ready_(std::move(ready)), enter_(std::move(enter)), driver_piece_(&budget, 0) {}

  /// Returns true if the giving thread may use the pipe. If not, it stops, and the request is repeated on a thread that
  /// may. Throws OverBudget.
  bool enter();
  /// Lets enter() return true from now on.
  void let_in() { entered_ = true; }

  /// Hands a piece over for an empty buffer, once the piece before has been taken. Throws Error(unavailable) if the
  /// client has gone.
  void give(Buffer &piece);
  /// Returns true if something was given: a part of the response may have gone out.
  bool used() const { return used_; }

  using PieceChannel::abandon;
  using PieceChannel::try_take;

private:
  const std::function<void()> ready_;
  const std::function<bool()> enter_;
  // For the giving thread alone.
  MemoryShare driver_piece_; ///< the memory in which the driver holds a piece
  bool counted_ = false;
  bool entered_ = false;
  bool used_ = false;
};

} // namespace omnistore::http
