// SPDX-License-Identifier: Apache-2.0
// A watch of a whole store, and stores that do not open.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <omnistore/ext/lag.h>

#include "redis/driven.hpp"

namespace test {

/// Returns the status and message with which the open fails.
inline std::pair<omnistore_status, std::string> refusal(const std::string &options) {
  try {
    Store store(options);
  } catch (const omnistore::testing::StatusError &refused) {
    return {refused.status, refused.what()};
  }
  return {OMNISTORE_OK, ""};
}

/// The events of a watch.
struct Events : omnistore_watcher {
  std::mutex lock;
  std::vector<std::pair<std::uint32_t, std::string>> seen;
  std::atomic<int> resyncs = 0;
  Events() : omnistore_watcher{sizeof(omnistore_watcher), 0, nullptr} {
    event = [](omnistore_watcher *watcher, const omnistore_event *change) {
      Events &self = *static_cast<Events *>(watcher);
      const std::lock_guard guard(self.lock);
      self.resyncs += change->type == OMNISTORE_EVENT_RESYNC;
      self.seen.emplace_back(change->type, std::string(omnistore::as_view(change->key)));
    };
  }
  std::size_t count(std::uint32_t type, const std::string &key) {
    const std::lock_guard guard(lock);
    return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), std::pair(type, key)));
  }
};

/// A watch of a whole store.
class StoreWatch {
public:
  StoreWatch(Store &store, Events &events) : store_(store) {
    test::Call call;
    const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes("")};
    REQUIRE(store.driver().watch(store.self(), &call, &request, &events, &watch_) == OMNISTORE_OK);
  }
  ~StoreWatch() { store_.driver().unwatch(store_.self(), watch_); }
  std::int64_t lag() const {
    const auto *table = static_cast<const omnistore_lag *>(store_.driver().extension(store_.self(), OMNISTORE_LAG));
    return table->lag(store_.self(), watch_);
  }

private:
  Store &store_;
  void *watch_ = nullptr;
};

} // namespace test
