// SPDX-License-Identifier: Apache-2.0
// One connection to the server, which is logged in and has selected its database. One thread at a time may use it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <hiredis/hiredis.h>

#include "connection/commands.hpp"
#include "connection/reply.hpp"
#include "connection/tls.hpp"
#include "connection/url.hpp"

namespace redis {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Thrown if a connection cannot be used any more: the server closed it, or sent no valid reply.
struct BrokenConnection : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Connection {
public:
  /// Connects and logs in. Throws Failure: UNAVAILABLE or TIMEOUT if the server does not respond, DENIED or INVALID if
  /// it refuses the login or the database or a certificate is refused, UNSUPPORTED if it is too old.
  Connection(const Endpoint &endpoint, milliseconds timeout);

  int descriptor() const { return context_->fd; }
  std::uint64_t master = 0; ///< the number of the master (servers/server.hpp), if sentinels have named it

  /// Sends as much as the system takes without waiting, and returns how much. Throws BrokenConnection.
  std::size_t send(std::string_view bytes);
  /// Waits until bytes arrive or, with `or_send`, until more can be sent. Waits for `wait` at most, and never longer
  /// than poll_slice. Returns true if bytes arrived. Throws BrokenConnection.
  bool receive(milliseconds wait, bool or_send = false);
  /// Returns the next complete reply, or null. Throws BrokenConnection.
  Reply next();
  /// Sends all commands and returns their replies. Throws BrokenConnection, or Failure(OMNISTORE_TIMEOUT) at the
  /// deadline.
  Replies exchange(Commands &commands, Clock::time_point deadline);
  /// Returns true if the server has closed the connection while it was idle.
  bool is_closed() const;

  static constexpr milliseconds poll_slice{100};

private:
  struct Free {
    void operator()(redisContext *context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;
  std::optional<TlsSession> tls_;

  bool receive_once(int flags);
  void log_in(const Endpoint &endpoint, Clock::time_point deadline);
};

} // namespace redis
