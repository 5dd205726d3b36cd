// SPDX-License-Identifier: Apache-2.0
#include "server/pool.hpp"

#include <system_error>
#include <utility>

namespace omnistore::server {

thread_local Pool::Lane *Pool::current_lane = nullptr;

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
    if (!call_thread()) return false;
    ++lane.threads;
    ++lane.ready;
    ready_.push_back(&lane);
  }
  lane.waiting.push_back(std::move(job));
  return true;
}

bool Pool::move(const std::string &name) {
  const std::lock_guard lock(mutex_);
  Lane &to = lanes_[name], &from = *current_lane;
  if (&to == &from) return true;
  if (to.threads >= limits_.lane_threads) return false;
  ++to.threads;
  if (from.waiting.size() > from.ready) call_thread();
  leave(from);
  current_lane = &to;
  return true;
}

/// Sees that a thread comes for one more entry of ready_. False: there is none at all.
bool Pool::call_thread() {
  if (idle_ > ready_.size()) {
    wake_.notify_one();
    return true;
  }
  return threads_.size() >= limits_.threads || add_thread();
}

/// A thread is done with the lane. Its next job has its turn after the other lanes.
void Pool::leave(Lane &lane) {
  if (lane.waiting.size() > lane.ready) {
    ++lane.ready;
    ready_.push_back(&lane);
  } else {
    --lane.threads;
  }
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
    current_lane = &lane;
    job();
    job = nullptr; // what it holds goes outside the lock
    lock.lock();
    leave(*current_lane);
  }
}

} // namespace omnistore::server
