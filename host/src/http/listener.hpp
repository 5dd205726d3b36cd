// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include <omnistore/config.hpp>

#include "http/address.hpp"
#include "http/message.hpp"
#include "http/worker_pool.hpp"

namespace omnistore::http {

class AccessLog;

/// Binds the address and lets go of it. Throws Error with the address and the reason.
void check_bind(const Address &address, const std::string &field);

/// Reads the files of a listener's TLS, if it has any. Throws Error with the field and the reason if they cannot be
/// used.
void check_tls(const HttpConfig &config, const Address &address, const std::string &field);

/// Listens on an address, with threads that serve its connections. Each thread is started with its first connection.
/// All members but stats() are for one thread.
class Listener {
public:
  /// Binds. Throws Error with the address and the reason. The arguments must outlive the listener. One thread runs
  /// `accepting` from before start() until after drain().
  /// `access` may be null.
  Listener(const Address &address, const HttpConfig &config, const std::string &field, AccessLog *access,
           WorkerPool &pool, MemoryBudget &memory, boost::asio::io_context &accepting);
  ~Listener();
  Listener(const Listener &) = delete;
  Listener &operator=(const Listener &) = delete;

  /// Returns the address with the port that was really bound.
  std::string address() const;
  /// Reads the files of TLS that `config` names, if the listener has TLS. Throws Error, and keeps what it had. On any
  /// thread.
  void reload_tls(const HttpConfig::Tls &config) const;
  /// Accepts from now on, for `threads` threads.
  void start(Application &application, unsigned threads);
  /// Accepts no more and closes idle connections. Returns 0 when all have gone, or at `deadline` the number of those
  /// that have not.
  std::uint64_t drain(std::chrono::steady_clock::time_point deadline);
  /// Closes all that is left.
  void close_all();
  /// Joins the threads. Nothing of the pool may be at work for it.
  void join();

  struct Stats {
    std::uint64_t open = 0;                   ///< connections now
    std::uint64_t accepted = 0;               ///< connections
    std::uint64_t refused = 0;                ///< connections over the limit
    std::uint64_t timed_out = 0;              ///< connections that were closed because they were slow or idle
    std::array<std::uint64_t, 5> responses{}; ///< by class: 1xx to 5xx
    std::uint64_t limited = 0;                ///< requests and connections over the limits of one client
    std::uint64_t accept_failures = 0;        ///< times that no connection could be accepted
    std::int64_t certificate_end = 0;         ///< Unix seconds; 0: there is no TLS
  };
  /// On any thread.
  Stats stats() const;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::http
