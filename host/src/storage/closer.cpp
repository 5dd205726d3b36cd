// SPDX-License-Identifier: Apache-2.0
#include "storage/closer.hpp"

namespace omnistore {

Closer::~Closer() {
  if (thread_.joinable()) thread_.join();
}

std::future<void> Closer::submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  std::packaged_task<void()> task(std::move(work));
  std::future<void> done = task.get_future();
  waiting_.push_back(std::move(task));
  if (running_) return done;
  if (thread_.joinable()) thread_.join(); // it found nothing left, and has let go of the lock
  running_ = true;
  thread_ = std::thread([this] { run(); });
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
