// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace omnistore::jobs {

/// Work on its way from the one who lists to those who do it: whoever is ahead waits. [any thread]
template <typename Work>
class BatchQueue {
public:
  explicit BatchQueue(std::size_t capacity) : capacity_(capacity) {}

  /// False: it was closed.
  bool put(Work work) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return work_.size() < capacity_ || closed_; });
    if (closed_) return false;
    work_.push_back(std::move(work));
    changed_.notify_all();
    return true;
  }
  /// Nothing: it was closed, and is empty.
  std::optional<Work> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !work_.empty() || closed_; });
    if (work_.empty()) return std::nullopt;
    Work work = std::move(work_.front());
    work_.pop_front();
    changed_.notify_all();
    return work;
  }
  /// No more will come; with `drop` what waits is forgotten.
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
