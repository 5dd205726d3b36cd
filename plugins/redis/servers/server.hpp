// SPDX-License-Identifier: Apache-2.0
// One server: its address, or the sentinels that know it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connection/connection.hpp"

namespace redis {

/// The sentinels that watch over a master, and the name that they call it by.
struct Sentinels {
  std::vector<Endpoint> addresses;
  std::string master;
};

/// Thread-safe. It must not move.
class Server {
public:
  /// Without sentinels the server is at `endpoint`. With sentinels, `endpoint` has the login, the database and TLS for
  /// the master, but its address is not used.
  explicit Server(Endpoint endpoint, Sentinels sentinels = {});

  /// Connects and logs in within `timeout`, as Connection does. With sentinels, it first requests the master's address
  /// and checks that the server there is a master. Throws Failure: UNAVAILABLE if no master is found, INVALID if no
  /// sentinel knows the name.
  std::unique_ptr<Connection> connect(milliseconds timeout);

  bool has_sentinels() const { return !sentinels_.addresses.empty(); }
  /// Returns the address for messages. With sentinels it is that of the last master.
  std::string shown() const;
  const Endpoint &endpoint() const { return endpoint_; }

private:
  std::unique_ptr<Connection> connect_to_master(const Endpoint &sentinel, milliseconds each,
                                                Clock::time_point deadline);

  const Endpoint endpoint_;
  const Sentinels sentinels_;
  std::atomic<std::size_t> preferred_ = 0; ///< the sentinel that responded last

  mutable std::mutex mutex_;
  std::string shown_;
};

} // namespace redis
