// SPDX-License-Identifier: Apache-2.0
#include "server/pool.hpp"

#include <system_error>
#include <utility>

namespace omnistore::server {

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread &thread : threads_) thread.join();
}

bool Pool::submit(const std::string &name, std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  Lane &lane = lanes_[name];
  if (lane.waiting.size() >= limits_.lane_waiting) return false;
  if (lane.threads < limits_.lane_threads) {
    if (idle_ > ready_.size()) {
      wake_.notify_one();
    } else if (threads_.size() < limits_.threads && !add_thread()) {
      return false;
    }
    ++lane.threads;
    ++lane.ready;
    ready_.push_back(&lane);
  }
  lane.waiting.push_back(std::move(job));
  return true;
}

bool Pool::add_thread() {
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::system_error &) { // the system's limit; those that are there do the work
  }
  return !threads_.empty();
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (ready_.empty()) {
      if (stopping_) return;
      ++idle_;
      wake_.wait(lock);
      --idle_;
    }
    Lane &lane = *ready_.front();
    ready_.pop_front();
    --lane.ready;
    std::function<void()> job = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    lock.unlock();
    job();
    job = nullptr; // what it holds goes outside the lock
    lock.lock();
    // Behind the other lanes, so that each gets its turn.
    if (lane.waiting.size() > lane.ready) {
      ++lane.ready;
      ready_.push_back(&lane);
    } else {
      --lane.threads;
    }
  }
}

} // namespace omnistore::server
