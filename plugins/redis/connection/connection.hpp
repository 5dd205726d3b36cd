// SPDX-License-Identifier: Apache-2.0
// One connection to the server, logged in and at its database. For one thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <hiredis/hiredis.h>

#include "connection/commands.hpp"
#include "connection/reply.hpp"
#include "connection/url.hpp"

namespace redis {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A connection that can be used no more: the other side closed it, or what came is no answer of Redis.
struct BrokenConnection : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Connection {
public:
  /// Connects and logs in. Throws Failure: UNAVAILABLE or TIMEOUT where the server does not answer, DENIED and INVALID
  /// where it refuses the login or the database, UNSUPPORTED where it is too old.
  Connection(const Endpoint &endpoint, milliseconds timeout);

  int descriptor() const { return context_->fd; }

  /// Sends what goes out at once and returns how much that was. Throws BrokenConnection.
  std::size_t send(std::string_view bytes);
  /// Waits for bytes, or until more can be sent where `or_send` is set, for `wait` at most and never longer than a
  /// poll_slice. Whether bytes came. Throws BrokenConnection.
  bool receive(milliseconds wait, bool or_send = false);
  /// The next reply of those that were received whole; null: there is none. Throws BrokenConnection.
  Reply next();
  /// The replies to all of the commands. Throws BrokenConnection, and Failure(OMNISTORE_TIMEOUT) at the deadline.
  Replies exchange(Commands &commands, Clock::time_point deadline);
  /// Whether the server has closed it while nothing was asked.
  bool is_closed() const;

  static constexpr milliseconds poll_slice{100};

private:
  struct Free {
    void operator()(redisContext *context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;

  void log_in(const Endpoint &endpoint, Clock::time_point deadline);
};

} // namespace redis
