// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <omnistore/config.hpp>

namespace omnistore::http {

/// Limits what each client takes, by its address or its token: requests and bytes a second, and connections. A client
/// may use a second's worth at once. Bytes are counted when they have moved, so a client that took too many has its
/// next requests refused until they are paid for. Thread-safe.
class Limiter {
public:
  using Clock = std::chrono::steady_clock;

  explicit Limiter(const HttpConfig::Limits &limits) : limits_(limits) {}

  /// Counts a request. Returns 0, or, if it is one too many, how many seconds later it may come again.
  unsigned take_request(std::string_view client, Clock::time_point now = Clock::now());
  void add_bytes(std::string_view client, std::uint64_t bytes, Clock::time_point now = Clock::now());

  /// One connection of a client, which ends with the object.
  class Slot {
  public:
    Slot(Limiter &limiter, std::string client) : limiter_(limiter), client_(std::move(client)) {}
    ~Slot() { limiter_.close(client_); }
    Slot(const Slot &) = delete;
    Slot &operator=(const Slot &) = delete;
    const std::string &client() const { return client_; }
    /// Counts bytes that moved outside of a request, such as events.
    void add_bytes(std::uint64_t bytes) { limiter_.add_bytes(client_, bytes); }

  private:
    Limiter &limiter_;
    const std::string client_;
  };
  /// Counts a connection. Returns null if it is one too many.
  std::shared_ptr<Slot> open(std::string_view client);

  /// Returns how many requests and connections were refused.
  std::uint64_t refused() const;

private:
  struct Client {
    double requests = 0, bytes = 0; ///< that are not paid for; each second pays for as many as the limit
    Clock::time_point seen{};
    unsigned connections = 0;
  };
  static constexpr std::size_t most_clients = 64 * 1024; ///< from then on those that owe nothing are forgotten

  Client &at(std::string_view client, Clock::time_point now);
  void pay(Client &client, Clock::time_point now) const;
  void forget_idle(Clock::time_point now);
  void close(const std::string &client);

  const HttpConfig::Limits limits_;
  mutable std::mutex mutex_; ///< for what follows
  std::map<std::string, Client, std::less<>> clients_;
  std::uint64_t refused_ = 0;
};

} // namespace omnistore::http
