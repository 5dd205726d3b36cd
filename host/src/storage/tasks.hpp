// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <omnistore/driver.h>

#include "base/in_flight.hpp"

namespace omnistore {

/// Runs background tasks of stores: later, on threads of its own, those of one owner one at a time. The threads are
/// started with the first task. Thread-safe.
class Tasks {
public:
  static constexpr std::size_t most_waiting = 100'000;
  static constexpr std::size_t most_threads = 4;

  Tasks() = default;
  ~Tasks();
  Tasks(const Tasks &) = delete;
  Tasks &operator=(const Tasks &) = delete;

  /// False: the owner is being dropped, or too many wait. `label` must live until the owner's tasks are dropped.
  bool submit(const void *owner, const base::CallLabel &label, omnistore_task task, void *argument,
              std::chrono::milliseconds delay);

  /// Drops the owner's tasks that wait, tells its running one to end and waits for it. Later submits of the owner are
  /// refused until forget(). Not from a task of the same owner.
  void drop(const void *owner);
  /// The owner's address may be used by another one from now on.
  void forget(const void *owner);

private:
  using Clock = std::chrono::steady_clock;
  struct Task {
    const void *owner;
    const base::CallLabel *label;
    omnistore_task run;
    void *argument;
  };
  class Running;

  void work();
  /// The first task that is due and whose owner has none running; end() where there is none.
  std::multimap<Clock::time_point, Task>::iterator next(Clock::time_point now);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, Task> waiting_;
  std::map<const void *, Running *> running_;
  std::set<const void *> dropped_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

} // namespace omnistore
