// SPDX-License-Identifier: Apache-2.0
// For layers that serve copies of a store's values: they must not serve a copy for long after another
// host changed the value. `Coherence` has the rules. `CoherentWatch` watches the store and keeps them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <omnistore/background.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/lag.hpp>

namespace omnistore {

/// The rules. A copy may be served while two things hold:
/// - no event for its key, and no loss of events, has arrived since the request to the store began that
///   gave or confirmed the copy. A ticket, which is taken before that request, shows this;
/// - the watch lags by no more than `max_lag`, so that every change that is older than that has arrived
///   as an event.
/// Together they give the bound: no read is older than `max_lag`, whatever breaks.
///
/// Keys share slots. An event counts for all keys of its slot, which may cost a request but never gives
/// an old value. The rules know neither threads nor clocks, so that a simulation can run them. Any
/// function may be called on any thread.
class Coherence {
public:
  struct Ticket {
    std::uint32_t losses = 0, changes = 0; ///< a ticket with no losses never holds
    bool operator==(const Ticket &) const = default;
  };

  explicit Coherence(std::int64_t max_lag, std::size_t slots = std::size_t{1} << 18)
      : max_lag_(max_lag), changes_(slots) {}

  /// Call it before the request to the store.
  Ticket begin(std::string_view key) const noexcept {
    return {losses_.load(std::memory_order_acquire), slot(key).load(std::memory_order_acquire)};
  }
  /// The store's value of the key may have changed.
  void changed(std::string_view key) noexcept { slot(key).fetch_add(1, std::memory_order_release); }
  /// Events may have been lost, or the watch has just begun.
  void lost() noexcept {
    if (losses_.fetch_add(1, std::memory_order_release) == UINT32_MAX)
      losses_.fetch_add(1, std::memory_order_release);
  }

  /// Returns true if nothing has arrived since the ticket was taken that concerns the key.
  bool holds(std::string_view key, const Ticket &ticket) const noexcept {
    return ticket == begin(key);
  }
  /// Returns true if events were lost since the ticket was taken: the value has probably not changed.
  bool lost_since(const Ticket &ticket) const noexcept {
    return ticket.losses != losses_.load(std::memory_order_acquire);
  }
  /// Returns true if a watch that lags by so many milliseconds is good enough.
  bool is_current(std::int64_t lag) const noexcept { return lag <= max_lag_; }
  /// `lag` must be found out before the call, so that the events that it vouches for are seen.
  bool may_serve(std::string_view key, const Ticket &ticket, std::int64_t lag) const noexcept {
    return is_current(lag) && holds(key, ticket);
  }

private:
  std::size_t index(std::string_view key) const noexcept {
    return std::hash<std::string_view>()(key) % changes_.size();
  }
  const std::atomic<std::uint32_t> &slot(std::string_view key) const noexcept {
    return changes_[index(key)];
  }
  std::atomic<std::uint32_t> &slot(std::string_view key) noexcept { return changes_[index(key)]; }

  const std::int64_t max_lag_;
  std::atomic<std::uint32_t> losses_{1};
  std::vector<std::atomic<std::uint32_t>> changes_; ///< how many events each slot has had
};

/// The watch of the store that a coherent layer has copies of, and the watches of the layer that it
/// serves. If the store is away when the layer opens, a thread begins the watch later. Thread-safe.
class CoherentWatch : public omnistore_watcher {
public:
  /// `role` names the store in messages, such as "origin". Throws a Failure if the store cannot be
  /// watched, or cannot prove that a watch is complete.
  CoherentWatch(const omnistore_host &host, Child store, std::string role, Call call,
                std::int64_t max_lag)
      : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, host_(host), store_(store),
        role_(std::move(role)), lag_(needed_lag()), rules_(max_lag) {
    CapturingCall on(call);
    const omnistore_status status = start(on);
    if (status == OMNISTORE_OK) return;
    if (!is_failure(status)) throw Failure(status, name() + " cannot be watched: " + on.reason());
    log_line(host_, OMNISTORE_LOG_WARN,
             "no copy is used until the " + role_ + " can be watched: " + on.reason());
    thread_ = background_thread([this] { keep_trying(); });
  }
  CoherentWatch(const CoherentWatch &) = delete;
  CoherentWatch &operator=(const CoherentWatch &) = delete;
  ~CoherentWatch() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    if (thread_.joinable()) thread_.join();
    if (begun_) store_.unwatch(watch_);
  }

  Coherence::Ticket begin(std::string_view key) const { return rules_.begin(key); }
  /// Returns true if the watch is complete enough for copies to be used.
  bool is_current() const { return rules_.is_current(lag()); }
  /// Returns true if the copy that was requested with this ticket may be served.
  bool trusts(std::string_view key, const Coherence::Ticket &ticket) const {
    const std::int64_t behind = lag();
    return rules_.may_serve(key, ticket, behind);
  }
  bool lost_since(const Coherence::Ticket &ticket) const { return rules_.lost_since(ticket); }
  /// Returns the milliseconds by which the watch may lag (omnistore/ext/lag.h).
  std::int64_t lag() const {
    if (!begun_.load(std::memory_order_acquire)) return OMNISTORE_LAG_UNKNOWN;
    return lag_->lag(store_.raw()->self, watch_.load(std::memory_order_relaxed));
  }

  /// Returns the counters of a coherent layer for omnistore/ext/stats.h, each with a comma before it.
  /// `bypasses` is the number of reads that used no copy because the watch lagged.
  std::string counters(std::uint64_t bypasses) const {
    return ",\"invalidations\":" + std::to_string(events_.load(std::memory_order_relaxed)) +
           ",\"invalidation_losses\":" + std::to_string(losses_.load(std::memory_order_relaxed)) +
           ",\"bypasses\":" + std::to_string(bypasses);
  }
  /// Returns the gauge without a comma; empty while the lag is not known.
  std::string gauges() const {
    const std::int64_t behind = lag();
    return behind == OMNISTORE_LAG_UNKNOWN ? std::string()
                                           : "\"watch_lag_ms\":" + std::to_string(behind);
  }

  /// Passes the store's events under a base on. An event reaches `watcher` when the copy is not used
  /// any more.
  void *add(std::string_view base, omnistore_watcher &watcher) {
    auto reader = std::make_unique<Reader>(Reader{std::string(base), &watcher});
    const std::lock_guard lock(readers_mutex_);
    readers_.push_back(std::move(reader));
    return readers_.back().get();
  }
  void end(void *watch) {
    const std::lock_guard lock(readers_mutex_);
    std::erase_if(readers_, [&](const auto &reader) { return reader.get() == watch; });
  }

private:
  struct Reader {
    std::string base;
    omnistore_watcher *watcher;
  };

  std::string name() const {
    return "option coherent: the " + role_ + " (" + std::string(store_.name()) + ")";
  }
  const omnistore_lag *needed_lag() const {
    if (const omnistore_lag *const found = lag_of(store_)) return found;
    throw Failure(OMNISTORE_UNSUPPORTED,
                  name() +
                      " cannot prove that it reports all changes; use redis, postgres, etcd, fs or "
                      "sqlite as the " +
                      role_ + ", or leave the option out");
  }

  /// Begins the watch. Earlier copies are not trusted, since changes of their keys were not reported.
  omnistore_status start(Call call) {
    const omnistore_watch_request request{sizeof request, 0, {nullptr, 0}};
    void *watch = nullptr;
    const omnistore_status status =
        lag_->watch(store_.raw()->self, call.raw(), &request, this, &watch);
    if (status != OMNISTORE_OK) return status;
    rules_.lost();
    watch_.store(watch, std::memory_order_release);
    begun_.store(true, std::memory_order_release);
    lag(); // so that the driver renews its proof from now on
    return OMNISTORE_OK;
  }
  void keep_trying() {
    using std::chrono::milliseconds;
    constexpr milliseconds first_wait{50}, longest_wait{2000}, longest_try{10'000};
    for (milliseconds pause = first_wait;; pause = std::min(2 * pause, longest_wait)) {
      {
        std::unique_lock lock(mutex_);
        if (stop_.wait_for(lock, pause, [this] { return stopping_.load(); })) return;
      }
      BackgroundCall call(&stopping_, BackgroundCall::Clock::now() + longest_try);
      try {
        if (start(Call(&call)) != OMNISTORE_OK) continue;
        const omnistore_event resync{
            sizeof resync, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, 0};
        return take(resync);
      } catch (const std::exception &) { // the next try follows
      }
    }
  }

  void take(const omnistore_event &change) {
    const std::string_view key = as_view(change.key);
    const bool names_key =
        change.type == OMNISTORE_EVENT_UPDATE || change.type == OMNISTORE_EVENT_REMOVE;
    if (names_key) {
      events_.fetch_add(1, std::memory_order_relaxed);
      rules_.changed(key);
      // A copy has the user meta too, whose key ends in '$'.
      if (key.ends_with('$')) rules_.changed(key.substr(0, key.size() - 1));
    } else {
      losses_.fetch_add(1, std::memory_order_relaxed);
      rules_.lost();
    }
    const std::lock_guard lock(readers_mutex_);
    for (const auto &reader : readers_)
      if (!names_key || key.starts_with(reader->base))
        reader->watcher->event(reader->watcher, &change);
  }
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher,
                                    const omnistore_event *change) noexcept {
    static_cast<CoherentWatch *>(watcher)->take(*change);
  }

  const omnistore_host &host_;
  const Child store_;
  const std::string role_;
  const omnistore_lag *const lag_; ///< the extension of the store; never null
  Coherence rules_;
  std::atomic<std::uint64_t> events_{0}, losses_{0};
  std::atomic<void *> watch_{nullptr}; ///< null: it has not begun
  std::atomic<bool> begun_{false};

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Reader>> readers_;

  std::mutex mutex_; ///< guards stopping_ for the wait
  std::condition_variable stop_;
  std::atomic<bool> stopping_{false};
  std::thread thread_; ///< runs until the watch has begun
};

} // namespace omnistore
