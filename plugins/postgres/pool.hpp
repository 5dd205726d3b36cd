// SPDX-License-Identifier: Apache-2.0
// The connections of a store. Each is leased by one caller at a time; an idle one that the server ended is replaced.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/failure.hpp>

#include "connection.hpp"

namespace postgres {

/// Connects again after a failure only when a while has passed, which doubles with each failure. Safe for threads.
class Backoff {
public:
  /// Throws the last failure if it is too early for another attempt.
  void check();
  void failed(const omnistore::Failure &failure);
  void succeeded();

private:
  std::mutex lock_;
  std::optional<omnistore::Failure> last_;
  std::chrono::steady_clock::time_point next_{};
  std::chrono::milliseconds wait_{0};
};

class Pool {
public:
  using Open = std::function<std::unique_ptr<Connection>(omnistore::Call)>;

  Pool(std::size_t most, Open open) : most_(most), open_(std::move(open)) {}

  /// A connection, until the end of the object.
  class Lease {
  public:
    Lease(Pool &pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease &&) = default;
    Lease &operator=(Lease &&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }
    Connection &operator*() const { return *connection_; }
    Connection *operator->() const { return connection_.get(); }

  private:
    Pool *pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// Waits for a connection until the call's deadline.
  Lease take(omnistore::Call call);
  std::size_t in_use() const;

private:
  void give_back(std::unique_ptr<Connection> connection);

  const std::size_t most_;
  const Open open_;
  Backoff backoff_;
  mutable std::mutex lock_;
  std::condition_variable freed_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<Connection>> idle_;
};

} // namespace postgres
