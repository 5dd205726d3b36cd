// SPDX-License-Identifier: Apache-2.0
// Connections that threads share: each has one for the time of an operation.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "connection.hpp"

namespace sqlite {

class Pool;

/// A connection that one thread has for a while; it goes back to its pool at the end.
class Lease {
public:
  Lease(Pool &pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
  Lease(Lease &&other) noexcept = default;
  Lease &operator=(Lease &&) = delete;
  ~Lease();

  Connection &operator*() const { return *connection_; }
  Connection *operator->() const { return connection_.get(); }

  /// Gives the connection's place in the pool to another one, since this one will be in use for as long as somebody
  /// reads slowly. Throws Failure if too many are in use in this way.
  void make_long();

private:
  friend class Pool;
  Pool *pool_;
  std::unique_ptr<Connection> connection_;
  bool long_ = false;
};

/// At most `limit` connections, beside those of long leases. Safe for threads.
class Pool {
public:
  using Open = std::function<std::unique_ptr<Connection>(omnistore::Call)>;

  Pool(std::size_t limit, Open open) : limit_(limit), open_(std::move(open)) { idle_.reserve(limit); }

  /// Waits for a connection until the deadline. Throws Failure.
  Lease take(omnistore::Call call);
  /// How many are in use.
  std::size_t in_use() const;

private:
  friend class Lease;
  static constexpr std::size_t MOST_LONG = 64;

  void put_back(std::unique_ptr<Connection> connection, bool was_long) noexcept;

  const std::size_t limit_;
  const Open open_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t used_ = 0, long_ = 0;
};

} // namespace sqlite
