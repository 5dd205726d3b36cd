// SPDX-License-Identifier: Apache-2.0
// A host for a driver's tests whose clock stands still and whose tasks wait until the test runs them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <omnistore/driver.h>

#include "support/driven.hpp"

namespace test {

class Host : public omnistore_host {
public:
  std::atomic<std::int64_t> time{1'700'000'000'000};

  Host() : omnistore_host{} {
    size = sizeof(omnistore_host);
    abi_major = OMNISTORE_ABI_MAJOR;
    log = [](const omnistore_host *host, std::uint32_t, omnistore_bytes text) {
      const std::lock_guard guard(of(host).lock_);
      of(host).lines_.emplace_back(omnistore::as_view(text));
    };
    now = [](const omnistore_host *host) { return of(host).time.load(); };
    submit = [](const omnistore_host *host, omnistore_task task, void *argument, std::uint64_t delay, std::uint32_t) {
      const std::lock_guard guard(of(host).lock_);
      of(host).tasks_.push_back({task, argument, of(host).time + static_cast<std::int64_t>(delay)});
      return OMNISTORE_OK;
    };
    event = [](const omnistore_host *host, const omnistore_event *told) {
      const std::lock_guard guard(of(host).lock_);
      if (told->type == OMNISTORE_EVENT_REMOVE && told->cause == OMNISTORE_CAUSE_EXPIRED) {
        of(host).expired_.emplace_back(omnistore::as_view(told->key));
      }
    };
  }

  /// Advances the clock to a moment, running each task when it is due.
  void run_until(std::int64_t moment) {
    Call call;
    for (;;) {
      Task next{};
      {
        const std::lock_guard guard(lock_);
        const auto first =
            std::min_element(tasks_.begin(), tasks_.end(), [](const Task &a, const Task &b) { return a.due < b.due; });
        if (first == tasks_.end() || first->due > moment) break;
        next = *first;
        tasks_.erase(first);
      }
      time = std::max(time.load(), next.due);
      next.run(next.argument, &call);
    }
    time = moment;
  }
  void run_for(std::int64_t span) { run_until(time + span); }

  std::vector<std::string> take_expired() {
    const std::lock_guard guard(lock_);
    std::vector<std::string> keys = std::exchange(expired_, {});
    std::sort(keys.begin(), keys.end());
    return keys;
  }
  /// As a host does when it closes the store that they belong to.
  void drop_tasks() {
    const std::lock_guard guard(lock_);
    tasks_.clear();
  }
  std::size_t tasks() const { return tasks_.size(); }
  const std::vector<std::string> &lines() const { return lines_; }

private:
  struct Task {
    omnistore_task run;
    void *argument;
    std::int64_t due;
  };
  static Host &of(const omnistore_host *host) { return *const_cast<Host *>(static_cast<const Host *>(host)); }

  std::mutex lock_;
  std::vector<Task> tasks_;
  std::vector<std::string> expired_, lines_;
};

} // namespace test
