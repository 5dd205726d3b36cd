// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <omnistore/driver.h>

#include "base/in_flight.hpp"

namespace omnistore {

/// Runs background tasks of stores later, on threads of its own, which are started as they are needed. Tasks of one
/// owner run one at a time unless they were submitted as parallel. No owner holds more than a quarter of the threads,
/// and the last quarter is for owners that hold none. Thread-safe.
class Tasks {
public:
  static constexpr std::size_t most_waiting = 100'000;
  static constexpr std::size_t most_threads = 16, most_of_one = most_threads / 4;

  Tasks() = default;
  ~Tasks();
  Tasks(const Tasks &) = delete;
  Tasks &operator=(const Tasks &) = delete;

  /// Returns false if the owner is being dropped, or too many tasks wait. `label` must live until the owner's tasks are
  /// dropped.
  bool submit(const void *owner, const base::CallLabel &label, omnistore_task task, void *argument,
              std::chrono::milliseconds delay, bool parallel = false);

  /// Drops the owner's waiting tasks, stops its running ones and waits for them. Later submits of the owner are refused
  /// until forget(). Not from a task of the same owner.
  void drop(const void *owner);
  /// Lets another owner have this address from now on.
  void forget(const void *owner);

private:
  using Clock = std::chrono::steady_clock;
  struct Task {
    const base::CallLabel *label;
    omnistore_task run;
    void *argument;
    bool parallel;
  };
  using Queue = std::multimap<Clock::time_point, Task>; ///< by when they are due
  class Running;
  struct Owner {
    Queue serial, parallel;
    std::vector<Running *> running;
    bool serial_runs = false;
    bool dropped = false;
    bool empty() const { return serial.empty() && parallel.empty() && running.empty() && !dropped; }
  };
  using Owners = std::map<const void *, Owner>;

  void work();
  /// Returns true if no thread is free and there may be more. Under the mutex.
  bool may_grow() const { return idle_ == 0 && threads_.size() < most_threads; }
  /// Starts a thread. Under the mutex.
  void grow();
  bool has_room(const Owner &owner) const;
  /// Returns the queue of the owner whose first task comes next, or null if none of them may run.
  static Queue *next_of(Owner &owner);
  /// Finds the owner whose task is to run now: of those with a due one, one with as few running as any. If there is
  /// none, `due` is when to look again, at the latest.
  Owners::iterator next(Clock::time_point now, Clock::time_point &due);
  void run(const Task &task, Running &running);

  std::mutex mutex_;
  std::condition_variable changed_;
  Owners owners_;
  std::vector<std::thread> threads_;
  std::size_t waiting_ = 0; ///< tasks
  std::size_t busy_ = 0;    ///< threads that run a task
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

} // namespace omnistore
