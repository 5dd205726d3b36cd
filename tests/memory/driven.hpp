// SPDX-License-Identifier: Apache-2.0
// The built memory plugin, opened by its C table over a host whose clock stands still and whose tasks wait until the
// test runs them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "support/driven.hpp"

namespace test {

inline const omnistore_driver &memory_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/memory.so");
  return library.driver();
}

class Host : public omnistore_host {
public:
  struct Told {
    uint32_t cause;
    std::string key;
    bool operator==(const Told &) const = default;
  };
  struct Task {
    omnistore_task run;
    void *argument;
    int64_t due;
  };

  std::atomic<int64_t> time{1'700'000'000'000};
  std::atomic<bool> refuses{false}; // tasks
  std::vector<Told> events;
  std::vector<Task> tasks;

  Host() : omnistore_host{} {
    size = sizeof(omnistore_host);
    abi_major = OMNISTORE_ABI_MAJOR;
    omnistore_host::log = [](const omnistore_host *, uint32_t, omnistore_bytes) {};
    omnistore_host::now = [](const omnistore_host *host) { return of(host).time.load(); };
    omnistore_host::submit = [](const omnistore_host *host, omnistore_task task, void *argument, uint64_t delay,
                                uint32_t) { return of(host).take(task, argument, delay); };
    omnistore_host::event = [](const omnistore_host *host, const omnistore_event *told) { of(host).note(*told); };
  }

  /// Runs the tasks that are due, and those that they submit and that are due as well.
  void run_tasks() {
    Call call;
    for (;;) {
      std::optional<Task> next;
      {
        const std::lock_guard guard(lock_);
        const auto due = std::find_if(tasks.begin(), tasks.end(), [&](const Task &task) { return task.due <= time; });
        if (due == tasks.end()) return;
        next = *due;
        tasks.erase(due);
      }
      next->run(next->argument, &call);
    }
  }

  std::vector<Told> take_events() {
    const std::lock_guard guard(lock_);
    return std::exchange(events, {});
  }

private:
  static Host &of(const omnistore_host *host) { return *const_cast<Host *>(static_cast<const Host *>(host)); }
  omnistore_status take(omnistore_task task, void *argument, uint64_t delay) {
    if (refuses) return OMNISTORE_UNAVAILABLE;
    const std::lock_guard guard(lock_);
    tasks.push_back({task, argument, time + static_cast<int64_t>(delay)});
    return OMNISTORE_OK;
  }
  void note(const omnistore_event &told) {
    const std::lock_guard guard(lock_);
    events.push_back({told.cause, std::string(omnistore::as_view(told.key))});
  }

  std::mutex lock_;
};

/// The driver opened over a host of its own.
class Store : public Driven {
public:
  Host host;

  /// `after`: milliseconds that the clock is ahead of that of other stores.
  explicit Store(std::string_view options = "{}", int64_t after = 0) : Driven(memory_driver()) {
    host.time += after;
    open(host, options);
  }
  ~Store() { close(); }

  int64_t now() const { return host.time; }
};

inline std::string numbered(std::string_view prefix, size_t number) {
  std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(7 - digits.size(), '0') + digits;
}

} // namespace test
