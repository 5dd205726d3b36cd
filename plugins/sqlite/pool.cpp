// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace sqlite {
namespace {

/// How often one who waits looks whether his caller has gone away.
constexpr std::int64_t LONGEST_WAIT = 50; // milliseconds

} // namespace

Lease::~Lease() {
  if (connection_) pool_->put_back(std::move(connection_), long_);
}

void Lease::make_long() {
  {
    const std::lock_guard lock(pool_->mutex_);
    if (pool_->long_ >= Pool::MOST_LONG)
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                               std::to_string(Pool::MOST_LONG) + " long values are being read already", {true, 1000});
    ++pool_->long_, --pool_->used_;
    long_ = true;
  }
  pool_->freed_.notify_one();
}

Lease Pool::take(omnistore::Call call) {
  std::unique_ptr<Connection> connection;
  {
    std::unique_lock lock(mutex_);
    while (used_ >= limit_) {
      const std::int64_t left = call.remaining();
      if (left == 0)
        throw omnistore::Failure(call.late(), "the connections were in use until the deadline",
                                 omnistore::nothing_done);
      freed_.wait_for(lock, std::chrono::milliseconds(std::min(left, LONGEST_WAIT)));
    }
    ++used_;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!connection) {
    try {
      connection = open_(call);
    } catch (...) {
      put_back(nullptr, false);
      throw;
    }
  }
  connection->serve(call);
  return Lease(*this, std::move(connection));
}

void Pool::put_back(std::unique_ptr<Connection> connection, bool was_long) noexcept {
  if (connection) connection->serve_nobody();
  {
    const std::lock_guard lock(mutex_);
    --(was_long ? long_ : used_);

    if (connection && idle_.size() < limit_) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

std::size_t Pool::in_use() const {
  const std::lock_guard lock(mutex_);
  return used_ + long_;
}

} // namespace sqlite
