// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace omnistore::jobs {

/// A bounded queue of work from the thread that lists keys to the worker threads. put() waits while it is full, and
/// take() waits while it is empty. [any thread]
template <typename Work>
class BatchQueue {
public:
  explicit BatchQueue(std::size_t capacity) : capacity_(capacity) {}

  /// Returns false if the queue is closed.
  bool put(Work work) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return work_.size() < capacity_ || closed_; });
    if (closed_) return false;
    work_.push_back(std::move(work));
    changed_.notify_all();
    return true;
  }
  /// Returns nullopt if the queue is closed and empty.
  std::optional<Work> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !work_.empty() || closed_; });
    if (work_.empty()) return std::nullopt;
    Work work = std::move(work_.front());
    work_.pop_front();
    changed_.notify_all();
    return work;
  }
  /// Refuses further work. With `drop`, also forgets the work that waits.
  void close(bool drop) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (drop) work_.clear();
    changed_.notify_all();
  }

private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> work_;
  bool closed_ = false;
};

} // namespace omnistore::jobs
