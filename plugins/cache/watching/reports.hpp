// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/child.hpp>

namespace cache {

/// The watches of a cache that is not coherent. They report two kinds of changes: those that a refresh found at the
/// origin, and values that expired or were evicted there. The host reports the writes that go through the cache.
/// Thread-safe.
class Reports {
public:
  explicit Reports(omnistore::Child origin) : origin_(origin) {}

  void *begin(omnistore::Call call, const omnistore_watch_request &request, omnistore_watcher &watcher);
  void end(void *watch);
  /// A refresh found a change.
  void report(std::string_view key, std::uint32_t type, std::uint32_t cause);

private:
  /// A watch, which also watches the origin. It passes on only those of the origin's events that end values. Changes
  /// that others make there are reported when a refresh finds them, so that each is reported once.
  struct Watch : omnistore_watcher {
    Watch(std::string_view of, omnistore_watcher &watcher)
        : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, base(of), to(watcher) {}

    const std::string base;
    omnistore_watcher &to;
    bool listens = false;
    void *of_origin = nullptr;

  private:
    static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept;
  };

  const omnistore::Child origin_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

} // namespace cache
