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

/// Threads that work off batches. What one of them throws ends the work of all, and is thrown by finish().
template <typename Work>
class Crew {
public:
  /// `stop` is set where one throws; where it is set, batches that wait are not begun.
  Crew(unsigned workers, std::atomic<bool> &stop, std::function<void(Work &)> work)
      : stop_(stop), work_(std::move(work)), queue_(2 * std::size_t{workers}) {
    for (unsigned i = 0; i < workers; ++i) threads_.emplace_back([this] { run(); });
  }
  ~Crew() { join(true); }
  Crew(const Crew &) = delete;
  Crew &operator=(const Crew &) = delete;

  /// False: there is nobody any more who would do it.
  bool put(Work work) { return !stop_ && queue_.put(std::move(work)); }
  /// Waits until all is done, or all have stopped.
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

/// Has a crew work off what `feed(put)` puts, until there is no more; put's false: there is nobody any more who would
/// do it. Returns false where it was stopped. Throws what feed or work throws, once those under way are done.
template <typename Work, typename Feed>
bool work_off(unsigned workers, std::atomic<bool> &stop, std::function<void(Work &)> work, const Feed &feed) {
  Crew<Work> crew(workers, stop, std::move(work));
  try {
    feed([&](Work &&one) { return crew.put(std::move(one)); });
  } catch (...) {
    stop = true;
    throw;
  }
  crew.finish();
  return !stop;
}

} // namespace omnistore::jobs
