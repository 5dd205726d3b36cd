// SPDX-License-Identifier: Apache-2.0
// The connections to memcached. Libmemcached's handle (memcached_st) has one connection to each server, and one thread
// at a time may use it: a call leases one. After a failure of the network a handle is dropped, and a new one connects.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <libmemcached/memcached.h>

#include <omnistore/call.hpp>

#include "address.hpp"
#include "pipeline.hpp"

namespace memcached_driver {

using Clock = std::chrono::steady_clock;

struct FreeHandle {
  void operator()(memcached_st *handle) const { memcached_free(handle); }
};
using Handle = std::unique_ptr<memcached_st, FreeHandle>;

/// Returns a handle for these servers that has no connections yet. Throws Failure(OMNISTORE_INVALID) if an address is
/// none.
Handle make_handle(const std::vector<std::string> &servers);

/// Returns true if the connection cannot be used any more.
bool is_network_failure(memcached_return_t code);

struct ServerSettings {
  std::vector<std::string> servers;
  milliseconds connect_timeout, command_timeout;
  std::size_t pool_size;
};

/// A circuit breaker of one server: after a failure calls fail at once, until one may try again. The pauses grow and
/// are jittered. Thread-safe.
class Breaker {
public:
  /// Throws the failure that opened the breaker, unless a call may be sent.
  void check(milliseconds one_try);
  void failed(const omnistore_host &host, const std::string &why);
  void worked(const omnistore_host &host, const std::string &server);

private:
  std::atomic<bool> open_ = false;
  std::mutex mutex_;
  milliseconds pause_{};
  Clock::time_point due_;
  std::string why_;
  std::minstd_rand random_{std::random_device{}()};
};

/// Thread-safe. It must not move.
class Servers {
public:
  Servers(const omnistore_host &host, ServerSettings settings);

  /// A handle that one thread uses.
  class Lease {
  public:
    Lease(Servers &servers, Handle handle, std::uint64_t age)
        : servers_(servers), handle_(std::move(handle)), age_(age) {}
    Lease(const Lease &) = delete;
    ~Lease() { servers_.give_back(std::move(handle_), age_); }
    memcached_st *get() const { return handle_.get(); }
    /// The handle is not used again, nor are others that exist now.
    void drop() {
      handle_.reset();
      servers_.drop_older();
    }

  private:
    Servers &servers_;
    Handle handle_;
    const std::uint64_t age_;
  };

  /// Waits until a handle is free. Throws Failure if the call's time is over before.
  Lease lease(omnistore::Call call);
  /// Sends commands to a server in one go, and adds the line that replies to each of the `count` commands. Throws
  /// Failure if the server is away, or does not reply in time. `sent` is true from the moment when it may have taken a
  /// command.
  void exchange(omnistore::Call call, std::uint32_t server, std::string_view commands, std::size_t count,
                std::vector<std::string> &replies, bool &sent);
  /// Returns the failure for the line with which a server refuses a set.
  omnistore::Failure failure(std::uint32_t server, const std::string &line) const;
  /// Returns the number of the server that has a name.
  std::uint32_t server_of(std::string_view name);
  /// Throws Failure(OMNISTORE_UNAVAILABLE) if the server is away, and was tried a moment ago.
  void check(std::uint32_t server) { breakers_[server].check(settings_.connect_timeout + settings_.command_timeout); }
  /// Notes how a command ended. Returns the failure if it could not be done.
  void note(std::uint32_t server, memcached_st *handle, memcached_return_t code);
  /// Returns the failure for a code, with the server's own words.
  omnistore::Failure failure(std::uint32_t server, memcached_st *handle, memcached_return_t code) const;

  /// Returns the size of the largest item that all servers take that respond, by their settings; 0 if none responds.
  std::uint64_t item_size_max(omnistore::Call call);
  std::size_t count() const { return settings_.servers.size(); }

private:
  void give_back(Handle handle, std::uint64_t age);
  /// Returns a connection for exchange(), whose caller has a lease. Throws Failure if the server is away.
  std::unique_ptr<Pipeline> take_pipeline(omnistore::Call call, std::uint32_t server);
  void drop_older();

  const omnistore_host &host_;
  const ServerSettings settings_;
  const Handle places_; ///< only computes places, which needs no lock
  std::deque<Breaker> breakers_;

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<Handle> idle_;
  std::vector<std::vector<std::unique_ptr<Pipeline>>> pipelines_; ///< of each server, those that nobody uses
  std::size_t leased_ = 0;
  std::uint64_t age_ = 0; ///< grows when all handles are dropped
};

} // namespace memcached_driver
