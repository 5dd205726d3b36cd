// SPDX-License-Identifier: Apache-2.0
// The parts of the hub that one base has: its topic, and the watches of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/callback_pool.hpp"
#include "storage/hub.hpp"

namespace omnistore {

using SharedRecord = std::shared_ptr<const Record>;

/// One watch. Its position and limits are under the topic's mutex, the rest under its own.
class Watch::State final : public CallbackPool::Task, public std::enable_shared_from_this<Watch::State> {
public:
  /// With a callback, or with `ready`.
  State(std::shared_ptr<Hub::Core> core, std::string base, std::function<void(const Event &)> callback,
        std::function<void()> ready, const WatchOptions &options);

  const std::string base;
  const std::size_t queue; ///< at most so many events wait
  const std::chrono::milliseconds linger;
  std::uint64_t start = 0; ///< Watch::position()

  static State &of(const Watch &watch) { return *watch.state_; }
  bool resumable() const { return linger.count() > 0; }
  bool pulled() const { return static_cast<bool>(ready_); }
  /// Called when there is something to read and nobody reads: notifies the front, or lets the pool call run().
  void wake();
  bool run() override;
  void take(EventTaker &taker);
  /// Ends the watch.
  void end();
  /// Lets no further callback begin.
  void leave();
  /// Returns when no callback runs, or at once if it is called from inside one.
  void await_callback();

private:
  friend class Hub::Topic;
  struct KnownLimit {
    Hub::Limit limit;
    bool reported;
  };
  enum class Turn { nothing, limit, events };

  Turn next(std::string &limit, std::vector<SharedRecord> &events);
  template <typename Callback, typename What>
  bool call(const Callback &callback, const What &what);

  const std::shared_ptr<Hub::Core> core_;
  const std::function<void(const Event &)> callback_;
  const std::function<void()> ready_;
  const std::function<void(const std::string &)> limited_;

  // Under the topic's mutex.
  std::shared_ptr<Hub::Topic> topic_;
  static constexpr std::size_t none = SIZE_MAX;
  std::size_t member_ = none;       ///< its place among the topic's members
  std::size_t armed_ = none;        ///< its place among those that wait for an event
  std::uint64_t number_ = 0;        ///< the entry to read next
  std::uint64_t at_ = 0;            ///< how many events were appended before that one
  std::deque<SharedRecord> replay_; ///< comes before the topic's entries
  std::vector<KnownLimit> limits_;  ///< those that there are now

  std::mutex mutex_;
  std::condition_variable idle_;
  bool leaving_ = false;
  bool calling_ = false;
  std::thread::id caller_; ///< of the callback that runs

  friend class Hub::Core;
};

/// The events of one base that some of its watches may still have to read. Thread-safe.
class Hub::Topic {
public:
  using State = Watch::State;
  using States = std::vector<std::shared_ptr<State>>;

  using Bytes = std::atomic<std::size_t>;

  /// `held` counts the bytes that all topics hold.
  Topic(std::string of, std::shared_ptr<Bytes> held) : base(std::move(of)), held_(std::move(held)) {}
  const std::string base;

  /// Adds the watches that have to be woken to `woken`. Drops the oldest events beyond the watches' queues and `room`
  /// bytes.
  void append(const SharedRecord &record, std::size_t room, States &woken);
  /// Adds a watch, which begins after the last event, with `replay` to read first. Pulled ones, and those with
  /// something to read, are not armed. Returns true if it has to be woken.
  bool join(const std::shared_ptr<State> &state, std::deque<SharedRecord> replay);
  /// Returns false if it was no member.
  bool leave(State &state);
  bool empty() const;
  States members() const;
  /// Gives all watches the new limits, and adds those that wait to `woken`.
  void limit(const std::vector<Limit> &limits, States &woken);
  /// Gives a watch that has just begun the limits. Returns true if it has to be woken.
  bool limit(State &state);

private:
  friend class Watch::State;
  struct Entry {
    SharedRecord record;
    std::uint64_t at; ///< how many events were appended before it; a resync stands for as many as were lost
  };
  /// Gives events to `take`, a function of a SharedRecord, until it returns false. Returns true if none are left. Under
  /// the mutex.
  template <typename Take>
  bool read(State &state, const Take &take);
  std::uint64_t end() const { return first_ + entries_.size(); }
  void drop_first();
  /// Lets the next event wake a watch that has read everything. Under the mutex, like those below.
  void arm(State &state);
  void disarm(State &state);
  bool notify(State &state, const std::vector<Limit> &limits);

  const std::shared_ptr<Bytes> held_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  std::uint64_t first_ = 0; ///< the number of the first entry
  std::uint64_t at_ = 0;    ///< of the next entry
  std::size_t bytes_ = 0;
  std::size_t most_ = 1; ///< the longest queue of its watches
  States members_;
  std::vector<State *> armed_;
  std::vector<Limit> limits_;
};

template <typename Take>
bool Hub::Topic::read(State &state, const Take &take) {
  if (state.member_ == State::none) return true; // it has ended
  while (!state.replay_.empty()) {
    const SharedRecord record = std::move(state.replay_.front());
    state.replay_.pop_front();
    if (!take(record)) return false;
  }
  const std::uint64_t oldest = std::max(first_, end() - std::min<std::uint64_t>(state.queue, entries_.size()));
  if (state.number_ < oldest) {
    const Entry &entry = entries_[oldest - first_];
    const auto resync = std::make_shared<const Record>(
        Event{Event::Type::resync, Event::Cause::none, {}, entry.record->event.sequence - 1, entry.at - state.at_});
    state.number_ = oldest;
    state.at_ = entry.at;
    if (!take(resync)) return false;
  }
  while (state.number_ < end()) {
    const Entry &entry = entries_[state.number_ - first_];
    ++state.number_;
    state.at_ = state.number_ < end() ? entries_[state.number_ - first_].at : at_;
    if (!take(entry.record)) return false;
  }
  return true;
}

} // namespace omnistore
