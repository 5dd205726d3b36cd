// SPDX-License-Identifier: Apache-2.0
// A watch of a store, and what it reported.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "etcd/driven.hpp"

namespace test {

struct Heard {
  std::uint32_t type, cause;
  std::string key;
  bool operator==(const Heard &) const = default;
};

inline Heard update(std::string key) { return {OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, std::move(key)}; }
inline Heard removal(std::string key, std::uint32_t cause = OMNISTORE_CAUSE_REMOVED) {
  return {OMNISTORE_EVENT_REMOVE, cause, std::move(key)};
}
inline Heard resync() { return {OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}}; }

class Watched : omnistore_watcher {
public:
  explicit Watched(Driven &store, const std::string &base = "")
      : omnistore_watcher{sizeof(omnistore_watcher), 0, &take}, store_(store) {
    const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes(base)};
    Call call;
    const omnistore_status status = store.driver().watch(store.self(), &call, &request, this, &watch_);
    INFO(call.message());
    REQUIRE(status == OMNISTORE_OK);
  }
  ~Watched() { store_.driver().unwatch(store_.self(), watch_); }
  Watched(const Watched &) = delete;
  Watched &operator=(const Watched &) = delete;

  /// Returns the next `count` events, or as many as come within 30 seconds.
  std::vector<Heard> next(std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    heard_.wait_for(lock, std::chrono::seconds(30), [&] { return events_.size() >= count; });
    const auto end = events_.begin() + static_cast<std::ptrdiff_t>(std::min(count, events_.size()));
    std::vector<Heard> first(events_.begin(), end);
    events_.erase(events_.begin(), end);
    return first;
  }

private:
  static void OMNISTORE_CALL take(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
    auto &self = *static_cast<Watched *>(watcher);
    const std::lock_guard lock(self.mutex_);
    self.events_.push_back({event->type, event->cause, std::string(omnistore::as_view(event->key))});
    self.heard_.notify_all();
  }

  Driven &store_;
  void *watch_ = nullptr;
  std::mutex mutex_;
  std::condition_variable heard_;
  std::vector<Heard> events_;
};

} // namespace test
