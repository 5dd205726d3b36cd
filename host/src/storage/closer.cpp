// SPDX-License-Identifier: Apache-2.0
#include "storage/closer.hpp"

#include <system_error>

namespace omnistore {

Closer::~Closer() {
  if (thread_.joinable()) thread_.join();
}

std::future<void> Closer::submit(std::function<void()> work) {
  std::unique_lock lock(mutex_);
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  waiting_.push_back(std::move(task));
  if (running_) return done;
  if (thread_.joinable()) thread_.join(); // it found nothing left, and has let go of the lock
  running_ = true;
  try {
    thread_ = std::thread([this] { run(); });
    return done;
  } catch (const std::system_error &) { // the system's limit on threads: the caller does it
  }
  lock.unlock();
  run();
  return done;
}

void Closer::run() {
  for (;;) {
    std::packaged_task<void()> task;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        running_ = false;
        return;
      }
      task = std::move(waiting_.front());
      waiting_.pop_front();
    }
    task();
  }
}

} // namespace omnistore
