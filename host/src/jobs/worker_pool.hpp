// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "jobs/batch_queue.hpp"

namespace omnistore::jobs {

/// Threads that do work. If one of them throws, all stop, and finish() throws the exception.
template <typename Work>
class WorkerPool {
public:
  /// The pool sets `stop` if a worker throws. If it is set, the workers start no more work.
  WorkerPool(unsigned workers, std::atomic<bool> &stop, std::function<void(Work &)> work)
      : stop_(stop), work_(std::move(work)), queue_(2 * std::size_t{workers}) {
    for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this] { run(); });
  }
  ~WorkerPool() { join(true); }
  WorkerPool(const WorkerPool &) = delete;
  WorkerPool &operator=(const WorkerPool &) = delete;

  /// Returns false once the workers have stopped.
  bool submit(Work work) { return !stop_ && queue_.put(std::move(work)); }
  /// Waits until all work is done or all workers have stopped.
  void finish() {
    join(false);
    if (failure_) std::rethrow_exception(failure_);
  }

private:
  void run() {
    try {
      while (std::optional<Work> work = queue_.take()) {
        if (stop_) break;
        work_(*work);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      stop_ = true;
    }
    if (stop_) queue_.close(true);
  }
  void join(bool drop) {
    queue_.close(drop);
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
  }

  std::atomic<bool> &stop_;
  const std::function<void(Work &)> work_;
  BatchQueue<Work> queue_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

/// Runs `work` on every item that `feed(submit)` submits. submit() returns false once all workers have stopped. Returns
/// false if it was stopped. Throws the exception of `feed` or `work` after the work in progress is done.
template <typename Work, typename Feed>
bool run_workers(unsigned workers, std::atomic<bool> &stop, std::function<void(Work &)> work, const Feed &feed) {
  WorkerPool<Work> pool(workers, stop, std::move(work));
  try {
    feed([&](Work &&one) { return pool.submit(std::move(one)); });
  } catch (...) {
    stop = true;
    throw;
  }
  pool.finish();
  return !stop;
}

} // namespace omnistore::jobs
