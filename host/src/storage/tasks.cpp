// SPDX-License-Identifier: Apache-2.0
#include "storage/tasks.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/printable.hpp"
#include "storage/contract.hpp"

namespace omnistore {

/// The call that a task is given: no deadline until its owner is dropped. Its caller is the host itself.
class Tasks::Running : public omnistore_call {
public:
  explicit Running(const base::CallLabel &label)
      : omnistore_call{sizeof(omnistore_call), 0, &context_, remaining_, fail_}, label_(label) {}
  Running(const Running &) = delete;
  Running &operator=(const Running &) = delete;
  void stop() { context_.stop.store(true, std::memory_order_relaxed); }

private:
  struct Context : omnistore_context {
    Context()
        : omnistore_context{
              sizeof(omnistore_context), OMNISTORE_PRIORITY_BACKGROUND, cancelled_, {nullptr, 0}, {nullptr, 0}} {}
    static std::uint32_t OMNISTORE_CALL cancelled_(const omnistore_context *context) {
      return static_cast<const Context *>(context)->stop.load(std::memory_order_relaxed) ? 1 : 0;
    }
    std::atomic<bool> stop{false};
  };
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) {
    return static_cast<const Running *>(call)->context_.stop.load(std::memory_order_relaxed) ? 0 : INT64_MAX;
  }
  /// Nobody waits for a task's result, so its messages go to the log.
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) {
    const base::CallLabel &label = static_cast<const Running *>(call)->label_;
    without_exceptions([&] {
      spdlog::debug("{} ({}): a background task: {}", base::printable(label.mount), label.driver,
                    base::printable(view(failure->message)));
    });
  }
  Context context_;
  const base::CallLabel &label_;
};

Tasks::~Tasks() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto &[key, owner] : owners_)
      for (Running *each : owner.running) each->stop();
  }
  changed_.notify_all();
  for (auto &thread : threads_) thread.join();
}

bool Tasks::submit(const void *owner, const base::CallLabel &label, omnistore_task task, void *argument,
                   std::chrono::milliseconds delay, bool parallel) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_ >= most_waiting) return false;
    if (const auto found = owners_.find(owner); found != owners_.end() && found->second.dropped) return false;
    if (may_grow()) grow();
    if (threads_.empty()) return false;
    Owner &of = owners_[owner];
    (parallel ? of.parallel : of.serial).emplace(Clock::now() + delay, Task{&label, task, argument, parallel});
    ++waiting_; // last: what throws leaves no task
  }
  changed_.notify_all(); // drop() waits on it too
  return true;
}

void Tasks::drop(const void *key) {
  std::unique_lock lock(mutex_);
  Owner &owner = owners_[key];
  owner.dropped = true;
  waiting_ -= owner.serial.size() + owner.parallel.size();
  owner.serial.clear();
  owner.parallel.clear();
  for (Running *each : owner.running) each->stop();
  changed_.wait(lock, [&] { return owner.running.empty(); });
}

void Tasks::forget(const void *owner) {
  std::lock_guard lock(mutex_);
  owners_.erase(owner);
}

void Tasks::grow() {
  without_exceptions([&] { threads_.emplace_back([this] { work(); }); }); // if it fails, those that run will do
}

bool Tasks::has_room(const Owner &owner) const {
  return owner.running.empty() || (owner.running.size() < most_of_one && busy_ < most_threads - most_of_one);
}

Tasks::Queue *Tasks::next_of(Owner &owner) {
  const bool serial = !owner.serial.empty() && !owner.serial_runs;
  if (owner.parallel.empty()) return serial ? &owner.serial : nullptr;
  return serial && owner.serial.begin()->first <= owner.parallel.begin()->first ? &owner.serial : &owner.parallel;
}

Tasks::Owners::iterator Tasks::next(Clock::time_point now, Clock::time_point &due) {
  due = Clock::time_point::max();
  auto best = owners_.end();
  Clock::time_point best_due;
  for (auto it = owners_.begin(); it != owners_.end(); ++it) {
    const Queue *queue = has_room(it->second) ? next_of(it->second) : nullptr;
    if (!queue) continue; // one of its tasks has to end first, and that notifies
    const Clock::time_point at = queue->begin()->first;
    due = std::min(due, at);
    if (at > now) continue;
    const auto rank = [](const Owner &owner, Clock::time_point when) { return std::pair(owner.running.size(), when); };
    if (best != owners_.end() && rank(best->second, best_due) <= rank(it->second, at)) continue;
    best = it;
    best_due = at;
  }
  return best;
}

void Tasks::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Clock::time_point due;
    const auto found = next(Clock::now(), due);
    if (found == owners_.end()) {
      ++idle_;
      if (due == Clock::time_point::max())
        changed_.wait(lock);
      else
        changed_.wait_until(lock, due);
      --idle_;
      continue;
    }
    Owner &owner = found->second; // stays in its place while it has one running
    Queue &queue = *next_of(owner);
    const Task task = queue.begin()->second;
    Running running(*task.label);
    owner.running.push_back(&running);
    queue.erase(queue.begin());
    --waiting_;
    ++busy_;
    if (!task.parallel) owner.serial_runs = true;
    // submit() counts on a thread that has nothing to do. This one had, and more may have come meanwhile.
    if (may_grow()) {
      next(Clock::now(), due);
      if (due != Clock::time_point::max()) grow();
    }
    lock.unlock();
    run(task, running);
    lock.lock();
    --busy_;
    std::erase(owner.running, &running);
    if (!task.parallel) owner.serial_runs = false;
    if (owner.empty()) owners_.erase(found);
    changed_.notify_all();
  }
}

void Tasks::run(const Task &task, Running &running) {
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
}

} // namespace omnistore
