// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include <omnistore/config.hpp>

#include "server/guard.hpp"
#include "server/listener_stats.hpp"
#include "server/message.hpp"
#include "server/pool.hpp"

namespace omnistore::server {

/// Binds the address and lets go of it. Throws Error with the address and the reason.
void check_bind(const Address &address, const std::string &field);

/// An address that is listened on, and the threads that serve its connections; each is started with the first
/// connection that it is given. All members but stats() are for one thread.
class Listener {
public:
  /// Binds. Throws Error with the address and the reason. What it is given must outlive it. `accepting` is run by one
  /// thread from before start() until after drain().
  Listener(std::string name, const Address &address, const HttpConfig &config, const std::string &field, Pool &pool,
           MemoryBudget &memory, boost::asio::io_context &accepting);
  ~Listener();
  Listener(const Listener &) = delete;
  Listener &operator=(const Listener &) = delete;

  /// With the port that was really bound.
  std::string address() const;
  /// Accepts from now on, for `threads` threads.
  void start(Routes &routes, unsigned threads);
  /// Accepts no more and closes what is idle. Returns when all connections have gone, or at `deadline` how many have
  /// not.
  std::uint64_t drain(std::chrono::steady_clock::time_point deadline);
  /// Closes all that is left.
  void close_all();
  /// Joins the threads. Nothing of the pool may be at work for it.
  void join();

  /// On any thread.
  ListenerStats stats() const;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::server
