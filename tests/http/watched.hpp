// SPDX-License-Identifier: Apache-2.0
// The built plugin, and a watch of a store of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <omnistore/testing.hpp>

namespace test {

inline const omnistore_driver &http_plugin() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/http.so");
  return library.driver();
}

struct HeardEvent {
  std::uint32_t type, cause;
  std::string key;
  std::uint64_t count;
  bool operator==(const HeardEvent &) const = default;
};

inline HeardEvent update(std::string key) { return {OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, std::move(key), 0}; }
inline HeardEvent removal(std::string key, std::uint32_t cause = OMNISTORE_CAUSE_REMOVED) {
  return {OMNISTORE_EVENT_REMOVE, cause, std::move(key), 0};
}
inline HeardEvent resync(std::uint64_t count = 0) { return {OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, count}; }

class Watched : omnistore_watcher {
public:
  /// Fails the test if the watch does not begin.
  explicit Watched(omnistore::testing::BareStore &store, const std::string &base = "")
      : omnistore_watcher{sizeof(omnistore_watcher), 0, &event_}, store_(store) {
    omnistore::testing::BareCall call;
    const omnistore_status status = begin(call, base);
    INFO(call.message());
    REQUIRE(status == OMNISTORE_OK);
  }
  ~Watched() { end(); }
  Watched(const Watched &) = delete;
  Watched &operator=(const Watched &) = delete;

  void end() {
    if (std::exchange(running_, false)) store_.child().unwatch(watch_);
  }

  /// Returns the next `count` events, or as many as come within 30 seconds.
  std::vector<HeardEvent> next(std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    heard_.wait_for(lock, std::chrono::seconds(30), [&] { return events_.size() >= count; });
    const auto end = events_.begin() + static_cast<std::ptrdiff_t>(std::min(count, events_.size()));
    std::vector<HeardEvent> first(events_.begin(), end);
    events_.erase(events_.begin(), end);
    return first;
  }

private:
  omnistore_status begin(omnistore_call &call, const std::string &base) {
    const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes(base)};
    const omnistore_status status = store_.child().watch(omnistore::Call(&call), request, *this, &watch_);
    running_ = status == OMNISTORE_OK;
    return status;
  }
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
    auto &self = *static_cast<Watched *>(watcher);
    const std::lock_guard lock(self.mutex_);
    self.events_.push_back({event->type, event->cause, std::string(omnistore::as_view(event->key)), event->count});
    self.heard_.notify_all();
  }

  omnistore::testing::BareStore &store_;
  void *watch_ = nullptr;
  bool running_ = false;
  std::mutex mutex_;
  std::condition_variable heard_;
  std::vector<HeardEvent> events_;
};

} // namespace test
