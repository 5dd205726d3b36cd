// SPDX-License-Identifier: Apache-2.0
// One server: its address, or the sentinels that know it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "connection/connection.hpp"
#include "servers/sentinels.hpp"

namespace redis {

/// The masters that sentinels name one after the other have numbers, and so have the connections to them.
/// Thread-safe. It must not move.
class Server {
public:
  /// Without sentinels the server is at `endpoint`. With sentinels, `endpoint` has the login, the database and TLS for
  /// the master, but its address is not used.
  Server(Endpoint endpoint, Sentinels sentinels);

  /// Connects and logs in within `timeout`, as Connection does. With sentinels, it first requests the master's address
  /// and checks that the server there is a master. Throws Failure: UNAVAILABLE if no master is found, INVALID if no
  /// sentinel knows the name.
  std::unique_ptr<Connection> connect(milliseconds timeout);

  /// Returns false if the sentinels have named another master since a connection to the master `number` was made.
  bool is_current(std::uint64_t number) const { return number == number_.load(std::memory_order_acquire); }
  /// Returns the master that the sentinels named last.
  MasterAddress master() const;
  /// The sentinels name another master than `number`. Connections to that are given up, and the next ones are made to
  /// the master that `sentinel` (an index) names.
  void move_from(std::uint64_t number, const MasterAddress &master, std::size_t sentinel);

  bool has_sentinels() const { return !sentinels_.addresses.empty(); }
  const Sentinels &sentinels() const { return sentinels_; }
  /// Returns the address for messages. With sentinels it is that of the last master.
  std::string shown() const;
  const Endpoint &endpoint() const { return endpoint_; }

private:
  std::unique_ptr<Connection> connect_to_master(const Endpoint &sentinel, milliseconds each,
                                                Clock::time_point deadline);
  std::uint64_t note(const MasterAddress &master, const std::string &shown, std::uint64_t known);

  const Endpoint endpoint_;
  const Sentinels sentinels_;
  std::atomic<std::size_t> preferred_ = 0; ///< the index of the sentinel that gets the first request
  std::atomic<std::uint64_t> number_ = 0;  ///< that of the master

  mutable std::mutex mutex_;
  std::string shown_;
  MasterAddress master_;
};

} // namespace redis
