// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore {

/// An event as it is kept for all who are to receive it.
struct Record {
  Event event;

  /// The event in the form that event streams send. `write` returns it; it is called once for all streams.
  template <typename Write>
  const std::string &text(const Write &write) const {
    std::call_once(once_, [&] { text_ = write(event); });
    return text_;
  }
  /// Returns about how much memory it takes, with its text.
  std::size_t bytes() const { return sizeof(Record) + 128 + 3 * event.key.size(); }

  explicit Record(Event of) : event(std::move(of)) {}

private:
  mutable std::once_flag once_;
  mutable std::string text_;
};

/// Takes events out of a pulled watch. Called under a lock: must not wait, nor use the storage.
class EventTaker {
public:
  virtual ~EventTaker() = default;
  /// Returns false if it takes no more in this call of Hub::take().
  virtual bool event(const Record &record) = 0;
  /// WatchOptions::limited.
  virtual bool limited(const std::string &message) = 0;
};

/// Hands events to watches. Thread-safe. Without a watch an event costs one load.
///
/// A writer appends its event to a list and wakes at most one thread, the dispatcher, however many watches there are.
/// The dispatcher looks up the bases that the key lies under and appends the event to the topic of each. All watches of
/// a base share its topic, a bounded list in which each watch has its own position. A watch whose position fell out of
/// the list gets a resync. The dispatcher wakes the watches that had nothing left to read: callbacks run on the threads
/// of a CallbackPool, and a front with threads of its own gets one call when there is something to take.
class Hub {
public:
  /// Watches the stores on behalf of the watches. Thread-safe. None of its functions is called after stop().
  class Sources {
  public:
    virtual ~Sources() = default;
    /// A watch of `base` begins: from now on the hub gets changes. Calls limit().
    virtual void begin(const std::string &base) = 0;
    /// One of the watches of `base` has ended.
    virtual void end(const std::string &base) = 0;
    /// The mounts have changed.
    virtual void refresh() = 0;
  };

  explicit Hub(Sources &sources);
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
  /// A watch without callbacks: the caller takes the events. `ready` is called, on any thread, when there is something
  /// to take and the last take() left nothing; it must not wait. Nothing calls it before the first take().
  Watch pull(std::string base, std::function<void()> ready, const WatchOptions &options);
  /// Takes events of a pulled watch until there are none or `taker` wants no more. One thread at a time.
  static void take(const Watch &watch, EventTaker &taker);

  /// A mount whose watch reports no changes that others make (WatchOptions::limited).
  struct Limit {
    const void *mount; ///< which one; it is only compared
    std::string message;
    bool operator==(const Limit &) const = default;
  };
  /// Reports these limits to the watches of `base`, each of them once. A limit that is no longer among them is
  /// forgotten.
  void limit(std::string_view base, const std::vector<Limit> &limits);
  /// Calls Sources::refresh().
  void refresh();

  class Core;
  class Topic;

private:
  const std::shared_ptr<std::atomic<std::size_t>> watches_; ///< those that run or linger
  const std::shared_ptr<Core> core_;                        ///< shared with the watches, which may outlive the hub
};

} // namespace omnistore
