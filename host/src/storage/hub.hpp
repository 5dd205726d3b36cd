// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore {

/// Hands events to watches. Thread-safe. Without a watch an event costs one load.
///
/// Each watch has a queue and a thread of its own: a slow one is bounded, and holds up neither writers nor others.
class Hub {
public:
  /// `changed` is called when wanted() may have changed: on the thread that began or ended a watch, never twice at
  /// once, and not after stop() was called.
  explicit Hub(std::function<void()> changed);
  ~Hub() { stop(); }
  Hub(const Hub &) = delete;
  Hub &operator=(const Hub &) = delete;

  /// Ends every watch; returns after the last callback has returned.
  void stop();
  bool active() const { return watches_->load(std::memory_order_relaxed) != 0; }
  void publish(Event::Type type, Event::Cause cause, std::string_view key);
  /// Events under this base, or of the key of this name, may have been lost.
  void lost(std::string_view base, std::uint64_t count);
  /// `base` is a key in its normal form, or empty.
  Watch watch(std::string base, std::function<void(const Event &)> callback, const WatchOptions &options);

  /// What a watch wants to be told of.
  struct Wanted {
    std::string base; ///< a key in its normal form, or empty for everything
    bool has_begun;   ///< limit() was not called for it yet
  };
  std::vector<Wanted> wanted();
  /// A mount whose watch reports no changes that others make (WatchOptions::limited).
  struct Limit {
    const void *mount; ///< which one; it is only compared
    std::string message;
    bool operator==(const Limit &) const = default;
  };
  /// Tells the watches of `base` of these limits, each watch of those that it was not told of before. A limit that is
  /// no longer among them is forgotten.
  void limit(std::string_view base, const std::vector<Limit> &limits);
  /// Calls `changed` as if a watch had begun.
  void refresh();

private:
  struct Owner;
  using States = std::vector<std::shared_ptr<Watch::State>>;
  bool remembered(std::uint64_t after) const;
  /// Ends what lingers for nothing, as a watch of `successor` that can be gone on with begins, and the first of what is
  /// too many: each is a thread.
  void retire(std::string_view successor);

  const std::shared_ptr<std::atomic<std::size_t>> watches_; ///< those that run; shared with them
  const std::shared_ptr<Owner> owner_;
  std::mutex mutex_;
  States states_;
  std::uint64_t sequence_;
  std::deque<Event> history_; ///< the last events, while a watch runs that can be resumed
};

} // namespace omnistore
