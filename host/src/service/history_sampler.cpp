// SPDX-License-Identifier: Apache-2.0
#include "service/history_sampler.hpp"

#include <chrono>

#include "base/clock.hpp"

namespace omnistore::service {

void HistorySampler::start() {
  thread_ = std::thread([this] { run(); });
}

void HistorySampler::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HistorySampler::run() {
  history_.add(now_ms(), {});
  std::unique_lock lock(mutex_);
  const auto is_time = [&] {
    return !changed_.wait_until(lock, std::chrono::system_clock::now() + report::History::interval,
                                [&] { return stopping_; });
  };
  while (is_time()) {
    lock.unlock();
    history_.add(now_ms(), storage_.stats());
    lock.lock();
  }
}

} // namespace omnistore::service
