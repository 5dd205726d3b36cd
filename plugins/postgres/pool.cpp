// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <algorithm>

namespace postgres {

using std::chrono::milliseconds, std::chrono::steady_clock;

void Backoff::check() {
  const std::lock_guard guard(lock_);
  if (last_ && steady_clock::now() < next_)
    throw omnistore::Failure(last_->status(), last_->what(),
                             {true, std::chrono::ceil<milliseconds>(next_ - steady_clock::now()).count()});
}
void Backoff::failed(const omnistore::Failure &failure) {
  const std::lock_guard guard(lock_);
  last_.emplace(failure);
  wait_ = std::clamp(wait_ * 2, milliseconds(50), milliseconds(2000));
  next_ = steady_clock::now() + wait_;
}
void Backoff::succeeded() {
  const std::lock_guard guard(lock_);
  last_.reset();
  wait_ = milliseconds(0);
}

Pool::Lease Pool::take(omnistore::Call call) {
  std::unique_ptr<Connection> connection;
  {
    std::unique_lock lock(lock_);
    while (used_ == most_) {
      const std::int64_t left = call.remaining();
      if (left == 0) throw omnistore::Failure(call.late(), "all connections were in use", omnistore::nothing_done);
      freed_.wait_for(lock, milliseconds(std::min<std::int64_t>(left, 100)));
    }
    ++used_;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  try {
    if (connection && !connection->is_alive()) connection.reset();
    if (!connection) {
      backoff_.check();
      connection = open_(call);
      backoff_.succeeded();
    }
  } catch (const std::exception &error) {
    if (const auto *failure = dynamic_cast<const omnistore::Failure *>(&error);
        failure && failure->status() == OMNISTORE_UNAVAILABLE && failure->details().retry_after == 0)
      backoff_.failed(*failure);
    give_back(nullptr);
    throw;
  }
  return Lease(*this, std::move(connection));
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (connection && connection->is_broken()) connection.reset();
  {
    const std::lock_guard guard(lock_);
    --used_;
    if (connection) idle_.push_back(std::move(connection));
  }
  freed_.notify_one();
}

std::size_t Pool::in_use() const {
  const std::lock_guard guard(lock_);
  return used_;
}

} // namespace postgres
