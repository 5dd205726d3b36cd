// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include <omnistore/error.hpp>

namespace omnistore::jobs {

/// Called with the problem of a single key while a job runs, by one thread at a time, which waits for it. Must not
/// throw.
using OnProblem = std::function<void(const Error &problem)>;

/// Reports the problems of a job one at a time, and remembers the status of the first failure. [any thread]
class ProblemReporter {
public:
  explicit ProblemReporter(OnProblem sink) : sink_(std::move(sink)) {}

  void failed(const Error &problem) {
    Status none = Status::ok;
    first_.compare_exchange_strong(none, problem.status());
    report(problem);
  }
  /// Reports a problem that is not a failure, such as a key that was skipped.
  void report(const Error &problem) {
    const std::lock_guard lock(mutex_);
    if (sink_) sink_(problem);
  }
  /// Returns the status of the first failure, or ok.
  Status first() const { return first_; }

private:
  const OnProblem sink_;
  std::mutex mutex_;
  std::atomic<Status> first_{Status::ok};
};

} // namespace omnistore::jobs
