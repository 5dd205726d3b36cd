// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <omnistore/driver.h>

namespace omnistore::kit {

/// The host of a store under test: a log, the system's clock, background tasks (one at a time, whatever their flags),
/// and the events of removals that the store made by itself. It has no extensions.
class KitHost : public omnistore_host {
public:
  KitHost();
  ~KitHost();
  KitHost(const KitHost &) = delete;
  KitHost &operator=(const KitHost &) = delete;

  /// Refuses further tasks, waits for the running one, and drops the others, as a host does before `close`.
  void stop();
  /// Returns the events so far, with cause and key.
  std::vector<std::pair<std::uint32_t, std::string>> events() const;

  /// Returns the time of day in Unix milliseconds.
  static std::int64_t time();

private:
  struct Task {
    omnistore_task run;
    void *argument;
  };

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::multimap<std::chrono::steady_clock::time_point, Task> tasks_;
  std::vector<std::pair<std::uint32_t, std::string>> events_;
  bool stopping_ = false;
  std::thread worker_; // started by the first task

  void work();
  static KitHost &of(const omnistore_host *host);
  static void OMNISTORE_CALL log_(const omnistore_host *, std::uint32_t, omnistore_bytes) noexcept {}
  static std::int64_t OMNISTORE_CALL now_(const omnistore_host *) noexcept { return time(); }
  static omnistore_status OMNISTORE_CALL submit_(const omnistore_host *host, omnistore_task task, void *argument,
                                                 std::uint64_t delay, std::uint32_t flags) noexcept;
  static void OMNISTORE_CALL event_(const omnistore_host *host, const omnistore_event *event) noexcept;
  static const void *OMNISTORE_CALL extension_(const omnistore_host *, const char *) noexcept { return nullptr; }
};

} // namespace omnistore::kit
