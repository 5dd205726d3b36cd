// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

namespace omnistore {

/// Runs jobs that may take any time, such as the open and the close of a store, and must not delay each other: while a
/// job runs, another thread is there for the next one. The threads end when nothing is left to do. They share this
/// object, so its owner can go while a job hangs, if the job does not use the owner. Thread-safe.
class Background : public std::enable_shared_from_this<Background> {
public:
  struct Job {
    /// Returns true when the job can run. It is called under a lock, again and again, so it must be quick. Null: the
    /// job can run at once.
    std::function<bool()> ready;
    std::function<void()> run; ///< must not throw
  };

  static std::shared_ptr<Background> make() { return std::shared_ptr<Background>(new Background); }
  Background(const Background &) = delete;
  Background &operator=(const Background &) = delete;

  /// Returns at once. If the system has no thread for the job, it runs here.
  void submit(Job job);
  /// Returns when every job has run, or at the deadline. Returns false if jobs are left.
  bool wait_until(std::chrono::steady_clock::time_point deadline);

private:
  Background() = default;
  bool add_thread();
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Job> waiting_;
  std::size_t running_ = 0; ///< jobs
  std::size_t free_ = 0;    ///< threads that run no job
  bool fresh_ = false;      ///< a job came
};

} // namespace omnistore
