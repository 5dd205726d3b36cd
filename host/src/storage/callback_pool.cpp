// SPDX-License-Identifier: Apache-2.0
#include "storage/callback_pool.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace omnistore {
namespace {

constexpr std::chrono::seconds idle_time{2};

} // namespace

void CallbackPool::start() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (!supervisor_.joinable()) supervisor_ = std::thread([self = shared_from_this()] { self->supervise(); });
  if (running_ == 0) start_worker();
}

void CallbackPool::start_worker() {
  workers_.emplace_back();
  Worker &worker = workers_.back();
  try {
    worker.thread = std::thread([self = shared_from_this(), &worker] { self->work(worker); });
  } catch (...) {
    workers_.pop_back();
    throw;
  }
  ++running_;
}

bool CallbackPool::try_start_worker() {
  try {
    start_worker();
    return true;
  } catch (const std::exception &) {
    return false; // the supervisor tries again
  }
}

void CallbackPool::look() {
  if (std::exchange(looking_, true)) return;
  look_.notify_one();
}

void CallbackPool::queue(Waiting waiting) { (waiting.slow ? slow_ : quick_).push_back(std::move(waiting)); }

void CallbackPool::push(std::shared_ptr<Task> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue({std::move(task), false});
  if (idle_ > called_) {
    ++called_;
    work_.notify_one();
  } else if (free_workers() >= quick || !try_start_worker()) {
    look();
  }
}

void CallbackPool::work(Worker &self) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto &from = quick_.empty() ? slow_ : quick_;
    if (from.empty()) {
      ++idle_;
      const bool called = work_.wait_for(lock, idle_time, [this] { return called_ != 0 || stopping_; });
      --idle_;
      if (called && called_ != 0) --called_;
      if (!called && quick_.empty() && slow_.empty()) break;
      continue;
    }
    Waiting waiting = std::move(from.front());
    from.pop_front();
    if (!quick_.empty() || !slow_.empty()) look(); // this turn may block
    self.began = Clock::now();
    self.running = true;
    lock.unlock();
    const bool again = waiting.task->run();
    if (!again) waiting.task.reset(); // what it owns may use the pool as it goes
    lock.lock();
    self.running = false;
    waiting.slow = std::exchange(self.stuck, false);
    if (waiting.slow) --stuck_;
    if (again && !stopping_) queue(std::move(waiting));
    lock.unlock();
    waiting.task.reset();
    lock.lock();
  }
  if (!stopping_) join_ended(); // so that only the last one to end is left
  --running_;
  self.ended = true;
}

/// Starts threads in place of those that are stuck.
void CallbackPool::relieve() {
  const auto now = Clock::now();
  for (Worker &worker : workers_) {
    if (!worker.running || worker.stuck || now - worker.began < patience) continue;
    worker.stuck = true;
    ++stuck_;
  }
  std::size_t missing = 0;
  // Callbacks that block often come in groups: with each look twice as many threads help out.
  if (!quick_.empty() && free_workers() < quick)
    missing = std::min(std::max(quick - free_workers(), stuck_), quick_.size());
  if (!slow_.empty() && idle_ <= called_) missing += slow_.size();
  for (; missing > 0 && running_ < most; --missing)
    if (!try_start_worker()) break;
}

void CallbackPool::join_ended() {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    if (!worker->ended) {
      ++worker;
      continue;
    }
    worker->thread.join(); // it needs the mutex no more
    worker = workers_.erase(worker);
  }
}

void CallbackPool::supervise() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (quick_.empty() && slow_.empty()) {
      looking_ = false;
      look_.wait(lock, [this] { return looking_ || stopping_; });
    }
    look_.wait_for(lock, patience, [this] { return stopping_; });
    if (stopping_) break;
    if (!quick_.empty() || !slow_.empty()) relieve();
  }
}

void CallbackPool::stop() {
  std::deque<Waiting> quick_tasks, slow_tasks; // ended outside of the lock
  std::thread supervisor;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    quick_tasks.swap(quick_);
    slow_tasks.swap(slow_);
    supervisor.swap(supervisor_);
    work_.notify_all();
    look_.notify_all();
  }
  if (supervisor.joinable()) supervisor.join();
  for (Worker &worker : workers_) { // nobody starts or ends one any more
    if (!worker.thread.joinable()) continue;
    if (worker.thread.get_id() == std::this_thread::get_id())
      worker.thread.detach(); // it keeps the pool
    else
      worker.thread.join();
  }
}

} // namespace omnistore
