// SPDX-License-Identifier: Apache-2.0
#include "storage/tasks.hpp"

#include <atomic>
#include <exception>

#include <spdlog/spdlog.h>

#include "storage/contract.hpp"

namespace omnistore {

/// The call that a task is given: no deadline until its owner is dropped.
class Tasks::Running : public omnistore_call {
public:
  Running() : omnistore_call{sizeof(omnistore_call), 0, remaining_, fail_} {}
  void stop() { stop_.store(true, std::memory_order_relaxed); }

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) {
    return static_cast<const Running *>(call)->stop_.load(std::memory_order_relaxed) ? 0 : INT64_MAX;
  }
  /// Nobody waits for a task's answer: what it has to say goes to the log.
  static void OMNISTORE_CALL fail_(omnistore_call *, std::uint32_t, omnistore_bytes message) {
    without_exceptions([&] { spdlog::debug("background task: {}", view(message)); });
  }
  std::atomic<bool> stop_{false};
};

Tasks::~Tasks() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    for (auto &[owner, running] : running_) running->stop();
  }
  changed_.notify_all();
  for (auto &thread : threads_) thread.join();
}

bool Tasks::submit(const void *owner, const base::CallLabel &label, omnistore_task task, void *argument,
                   std::chrono::milliseconds delay) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || dropped_.count(owner) || waiting_.size() >= most_waiting) return false;
    if (idle_ == 0 && threads_.size() < most_threads) {
      try {
        threads_.emplace_back([this] { work(); });
      } catch (const std::exception &) { // those that run already will do
        if (threads_.empty()) return false;
      }
    }
    waiting_.emplace(Clock::now() + delay, Task{owner, &label, task, argument}); // last: what throws leaves no task
  }
  changed_.notify_all(); // drop() waits on it too
  return true;
}

void Tasks::drop(const void *owner) {
  std::unique_lock lock(mutex_);
  dropped_.insert(owner);
  std::erase_if(waiting_, [owner](const auto &entry) { return entry.second.owner == owner; });
  if (auto found = running_.find(owner); found != running_.end()) found->second->stop();
  changed_.wait(lock, [&] { return !running_.count(owner); });
}

void Tasks::forget(const void *owner) {
  std::lock_guard lock(mutex_);
  dropped_.erase(owner);
}

std::multimap<Tasks::Clock::time_point, Tasks::Task>::iterator Tasks::next(Clock::time_point now) {
  for (auto it = waiting_.begin(); it != waiting_.end() && it->first <= now; ++it)
    if (!running_.count(it->second.owner)) return it;
  return waiting_.end();
}

void Tasks::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto found = next(Clock::now());
    if (found == waiting_.end()) {
      ++idle_;
      // Tasks that are due but whose owner is busy wait for that owner's end, which notifies.
      const auto due = waiting_.upper_bound(Clock::now());
      if (due == waiting_.end())
        changed_.wait(lock);
      else
        changed_.wait_until(lock, Clock::time_point(due->first)); // a copy: the task may be dropped meanwhile
      --idle_;
      continue;
    }
    const Task task = found->second;
    waiting_.erase(found);
    Running running;
    running_.emplace(task.owner, &running);
    lock.unlock();
    try {
      const base::InFlight in_flight(*task.label, "task", base::InFlight::untimed);
      task.run(task.argument, &running);
    } catch (const std::exception &error) {
      without_exceptions([&] {
        spdlog::error("{} ({}): a background task threw an exception, a defect of the driver: {}", task.label->mount,
                      task.label->driver, error.what());
      });
    } catch (...) {
      without_exceptions([&] {
        spdlog::error("{} ({}): a background task threw an exception, a defect of the driver", task.label->mount,
                      task.label->driver);
      });
    }
    lock.lock();
    running_.erase(task.owner);
    changed_.notify_all();
  }
}

} // namespace omnistore
