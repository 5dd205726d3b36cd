// SPDX-License-Identifier: Apache-2.0
#include "storage/background.hpp"

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

namespace omnistore {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Between two looks at jobs that are not ready. Those who use a store do not say when they leave it: that would cost
/// every operation.
constexpr microseconds shortest_pause{100}, longest_pause{50'000};
constexpr milliseconds linger{50}; // of a thread that has nothing to do

} // namespace

void Background::submit(Job job) {
  std::unique_lock lock(mutex_);
  waiting_.push_back(std::move(job));
  fresh_ = true;
  const bool served = free_ != 0 || add_thread() || running_ != 0;
  changed_.notify_all();
  if (served) return;
  ++free_;
  lock.unlock();
  work();
}

bool Background::wait_until(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto done = [this] { return waiting_.empty() && running_ == 0; };
  if (deadline != std::chrono::steady_clock::time_point::max()) return changed_.wait_until(lock, deadline, done);
  changed_.wait(lock, done);
  return true;
}

bool Background::add_thread() {
  try {
    std::thread([self = shared_from_this()] { self->work(); }).detach();
  } catch (const std::system_error &) { // the system's limit
    return false;
  }
  ++free_;
  return true;
}

void Background::work() {
  std::unique_lock lock(mutex_);
  microseconds pause = shortest_pause;
  for (;;) {
    if (std::exchange(fresh_, false)) pause = shortest_pause;
    const auto next =
        std::find_if(waiting_.begin(), waiting_.end(), [](const Job &job) { return !job.ready || job.ready(); });
    if (next != waiting_.end()) {
      Job job = std::move(*next);
      waiting_.erase(next);
      --free_;
      ++running_;
      if (!waiting_.empty() && free_ == 0) add_thread(); // if no thread can start, this one runs the rest later
      lock.unlock();
      job.run();
      job = {};
      lock.lock();
      ++free_;
      --running_;
      changed_.notify_all();
      pause = shortest_pause;
    } else if (free_ > 1) {
      break; // another thread waits already
    } else if (!waiting_.empty()) {
      changed_.wait_for(lock, pause);
      pause = std::min(pause * 2, longest_pause);
    } else if (!changed_.wait_for(lock, linger, [this] { return !waiting_.empty(); })) {
      break;
    }
  }
  --free_;
}

} // namespace omnistore
