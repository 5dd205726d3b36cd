// SPDX-License-Identifier: Apache-2.0
#include "connection/breaker.hpp"

#include <algorithm>
#include <string>

#include <omnistore/call.hpp>

namespace redis {
namespace {

constexpr milliseconds first_pause{50};

} // namespace

void Breaker::refuse_or_try() {
  const std::lock_guard guard(mutex_);
  if (!open_) return;
  const auto now = Clock::now();
  if (background_ || now < due_) {
    const auto pause = std::chrono::ceil<milliseconds>(due_ - now).count();
    throw omnistore::Failure(why_.status, why_.message, {true, std::max<std::int64_t>(pause, 1)});
  }
  trying_ = true;
  due_ = now + one_try_; // until then other calls are refused
}

bool Breaker::begin_try() {
  const std::lock_guard guard(mutex_);
  background_ = false;
  if (!open_) return false;
  trying_ = true;
  due_ = Clock::now() + one_try_;
  return true;
}

void Breaker::failed(const StoredFailure &why) {
  const std::lock_guard guard(mutex_);
  if (open_ && !trying_) return; // several calls failed together
  if (!open_) {
    omnistore::log_line(host_, OMNISTORE_LOG_WARN, why.message + "; it is tried again until it responds");
    pause_ = milliseconds(0);
  }
  // A refused call has not waited, so `timeout` would be wrong.
  why_ = why;
  if (why.status == OMNISTORE_TIMEOUT) why_.status = OMNISTORE_UNAVAILABLE;
  open_.store(true, std::memory_order_release);
  trying_ = false;
  const milliseconds pause = next_pause();
  due_ = Clock::now() + pause;
  background_ = host_.submit(&host_, task_, argument_, static_cast<std::uint64_t>(pause.count()), 0) == OMNISTORE_OK;
}

void Breaker::close() {
  const std::lock_guard guard(mutex_);
  if (!open_) return;
  open_.store(false, std::memory_order_release);
  trying_ = false;
  omnistore::log_line(host_, OMNISTORE_LOG_INFO, "the server responds again");
}

milliseconds Breaker::next_pause() {
  pause_ = std::clamp(pause_ * 2, first_pause, longest_pause_);
  std::uniform_int_distribution<milliseconds::rep> some(pause_.count() * 3 / 4, pause_.count());
  return milliseconds(some(random_));
}

} // namespace redis
