// SPDX-License-Identifier: Apache-2.0
#include "gate.hpp"

#include <algorithm>
#include <chrono>

#include <omnistore/failure.hpp>

namespace lmdb {
namespace {

using std::chrono::milliseconds, std::chrono::steady_clock;

/// How often one who waits looks whether his caller has gone away, and how long one waits to be alone.
constexpr std::int64_t GLANCE = 50; // milliseconds
constexpr milliseconds LONGEST_WAIT{10'000};

} // namespace

void Gate::wait_to_enter(omnistore::Call call) {
  do {
    leave();
    std::unique_lock lock(mutex_);
    while (closed_) {
      const std::int64_t left = call.remaining();
      if (left == 0)
        throw omnistore::Failure(call.late(), "the database was growing until the deadline", omnistore::nothing_done);
      changed_.wait_for(lock, milliseconds(std::min(left, GLANCE)));
    }
    inside_.fetch_add(1);
  } while (closed_.load());
}

void Gate::open() noexcept {
  closed_ = false;
  wake();
}

void Gate::wake() noexcept {
  { const std::lock_guard lock(mutex_); } // nobody is between his look and his sleep
  changed_.notify_all();
}

Gate::Alone::Alone(Gate &gate, omnistore::Call call) : gate_(gate), one_(gate.alone_) {
  gate_.closed_ = true;
  const auto end = steady_clock::now() + LONGEST_WAIT;
  std::unique_lock lock(gate_.mutex_);
  while (gate_.inside_.load() != 0) {
    const std::int64_t left = call.remaining();
    if (left == 0 || steady_clock::now() > end) {
      lock.unlock();
      gate_.open();
      if (left == 0)
        throw omnistore::Failure(call.late(), "values were being read until the deadline", omnistore::nothing_done);
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                               "the database must grow, and waited for those that still read long values",
                               {true, 1000});
    }
    gate_.changed_.wait_for(lock, milliseconds(std::min(left, GLANCE)));
  }
}

Gate::Alone::~Alone() { gate_.open(); }

} // namespace lmdb
