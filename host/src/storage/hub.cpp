// SPDX-License-Identifier: Apache-2.0
#include "storage/hub.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <new>
#include <optional>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/memory_size.hpp"
#include "storage/resumption.hpp"
#include "storage/topic.hpp"

namespace omnistore {
namespace {

constexpr std::size_t most_pending = 64 * 1024; // events that the dispatcher has not seen yet
constexpr std::size_t least_room = 64 * 1024;   // bytes of events that a topic holds, however much the others do

/// Returns how many bytes of events all topics hold together: some 300 thousand events on a machine of 6 GiB or more.
std::size_t room_of_all() {
  constexpr std::uint64_t mebibyte = 1024 * 1024;
  return std::clamp(base::memory_of_process() / 64, 8 * mebibyte, 96 * mebibyte);
}

using Clock = std::chrono::steady_clock;

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

} // namespace

/// The locks, in the order in which they may be taken: sources_mutex_, route_, mutex_, a topic's. None is held while a
/// callback runs. Only a watch's own mutex is held while its `ready` is called.
class Hub::Core : public std::enable_shared_from_this<Hub::Core> {
public:
  using State = Watch::State;

  Core(Sources &sources, std::shared_ptr<std::atomic<std::size_t>> watches);

  void stop();
  void publish(Event::Type type, Event::Cause cause, std::string_view key);
  void lost(std::string_view base, std::uint64_t count);
  Watch begin(std::shared_ptr<State> state, std::optional<std::uint64_t> after);
  void end(State &state);
  void limit(std::string_view base, const std::vector<Limit> &limits);
  void refresh();

  const std::shared_ptr<CallbackPool> pool = std::make_shared<CallbackPool>();

private:
  using Topics = std::unordered_map<std::string, std::shared_ptr<Topic>, KeyHash, std::equal_to<>>;
  /// Ends watches of stores that nobody wants any more. It may wait for a driver, so the dispatcher does not do it.
  struct Ending final : CallbackPool::Task {
    Ending(std::shared_ptr<Core> of, std::vector<std::string> ended) : core(std::move(of)), bases(std::move(ended)) {}
    bool run() override {
      core->end_sources(bases);
      return false;
    }
    const std::shared_ptr<Core> core;
    const std::vector<std::string> bases;
  };

  /// The events that the dispatcher has not seen yet.
  struct Batch {
    std::vector<SharedRecord> records; ///< a resync's key is the base that it concerns
    std::uint64_t overflow = 0;        ///< further events, which found no room
    std::uint64_t sequence = 0;        ///< of the last event
  };

  void start(bool callbacks);
  void append(std::shared_ptr<Record> record);
  void dispatch();
  void route();
  Batch take_pending();
  void distribute(const Batch &batch, Topic::States &woken);
  void distribute(const SharedRecord &record, Topic::States &woken);
  std::size_t room_of_topic() const;
  static void wake(const Topic::States &woken);
  std::shared_ptr<Topic> topic_of(const std::string &base);
  void drop_if_empty(const Topic &topic);
  void forget(const std::vector<std::string> &ended);
  void linger(const State &state, std::vector<std::string> &ended);
  void expire();
  void end_sources(const std::vector<std::string> &bases);
  void end_later(std::vector<std::string> ended);

  std::shared_mutex sources_mutex_; ///< shared while one of its functions runs
  Sources *sources_;                ///< null once the hub has stopped

  std::mutex route_;
  Topics topics_;
  std::size_t room_ = 0; ///< room_of_all(), from the first watch on
  const std::shared_ptr<Topic::Bytes> held_ = std::make_shared<Topic::Bytes>(0);
  std::map<std::size_t, std::size_t> lengths_; ///< of the topics' bases, with how many have it
  LingeringBases lingering_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool asleep_ = false;
  bool stopping_ = false; ///< written under route_ and mutex_
  std::vector<SharedRecord> pending_;
  std::atomic<std::uint64_t> overflow_{0}; ///< events that found no room there
  EventHistory history_;
  std::optional<Clock::time_point> expiry_; ///< when the first that lingers is forgotten

  const std::shared_ptr<std::atomic<std::size_t>> watches_;
  std::thread dispatcher_;
};

Hub::Core::Core(Sources &sources, std::shared_ptr<std::atomic<std::size_t>> watches)
    : sources_(&sources), watches_(std::move(watches)) {}

// --------------------------------------------------------------------------------------------------------------
// Writers

void Hub::Core::append(std::shared_ptr<Record> record) {
  bool asleep = false;
  {
    const std::lock_guard lock(mutex_);
    history_.add(record);
    if (pending_.size() < most_pending)
      pending_.push_back(std::move(record));
    else
      overflow_.fetch_add(1);
    asleep = std::exchange(asleep_, false);
  }
  if (asleep) wake_.notify_one();
}

void Hub::Core::publish(Event::Type type, Event::Cause cause, std::string_view key) {
  append(std::make_shared<Record>(Event{type, cause, std::string(key), 0, 0}));
}

void Hub::Core::lost(std::string_view base, std::uint64_t count) {
  append(std::make_shared<Record>(Event{Event::Type::resync, Event::Cause::none, std::string(base), 0, count}));
}

// --------------------------------------------------------------------------------------------------------------
// The dispatcher

void Hub::Core::start(bool callbacks) {
  try {
    const std::lock_guard routing(route_);
    if (stopping_) throw Error(Status::unavailable, "the storage is closing");
    if (room_ == 0) room_ = room_of_all();
    if (!dispatcher_.joinable()) dispatcher_ = std::thread([this] { dispatch(); });
    if (callbacks) pool->start();
  } catch (const std::system_error &error) {
    throw Error(Status::unavailable, std::string("a thread for the watch: ") + error.what());
  }
}

void Hub::Core::dispatch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!pending_.empty() || overflow_ != 0) {
      lock.unlock();
      route();
      lock.lock();
    } else if (expiry_ && *expiry_ <= Clock::now()) {
      lock.unlock();
      expire();
      lock.lock();
    } else {
      asleep_ = true;
      if (expiry_)
        wake_.wait_until(lock, Clock::time_point(*expiry_)); // a copy: it may change meanwhile
      else
        wake_.wait(lock);
      asleep_ = false;
    }
  }
}

void Hub::Core::route() {
  Topic::States woken;
  {
    const std::lock_guard routing(route_);
    Batch batch;
    {
      const std::lock_guard lock(mutex_);
      batch = take_pending();
    }
    distribute(batch, woken);
  }
  wake(woken);
}

/// Under mutex_.
Hub::Core::Batch Hub::Core::take_pending() {
  return {std::exchange(pending_, {}), overflow_.exchange(0), history_.sequence()};
}

/// Under route_. If memory is short, events become a resync, now or later.
void Hub::Core::distribute(const Batch &batch, Topic::States &woken) {
  std::uint64_t missed = batch.overflow;
  for (const SharedRecord &record : batch.records) {
    try {
      distribute(record, woken);
    } catch (const std::bad_alloc &) {
      ++missed;
    }
  }
  if (missed == 0) return;
  try {
    distribute(std::make_shared<Record>(Event{Event::Type::resync, Event::Cause::none, {}, batch.sequence, missed}),
               woken);
  } catch (const std::bad_alloc &) {
    overflow_.fetch_add(missed);
  }
}

/// A topic may hold four times as much as is free: one that is alone gets four fifths of the room, two get four ninths
/// each, and none can take all. (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
/// switches", 1998.)
std::size_t Hub::Core::room_of_topic() const {
  const std::size_t held = held_->load(std::memory_order_relaxed);
  return std::max(least_room, held < room_ ? 4 * (room_ - held) : 0);
}

void Hub::Core::distribute(const SharedRecord &record, Topic::States &woken) {
  const std::string_view key = record->event.key;
  const std::size_t room = room_of_topic();
  if (record->event.type == Event::Type::resync) {
    Event shown = record->event;
    shown.key.clear();
    const auto resync = std::make_shared<const Record>(std::move(shown));
    for (const auto &[base, topic] : topics_)
      if (lies_under(key, base) || lies_under(base, key)) topic->append(resync, room, woken);
    return;
  }
  for (const auto &[length, count] : lengths_) { // of the bases that the key may lie under
    if (length > key.size()) break;
    if (length != 0 && length != key.size() && key[length] != ':') continue;
    const auto topic = topics_.find(key.substr(0, length));
    if (topic != topics_.end()) topic->second->append(record, room, woken);
  }
}

void Hub::Core::wake(const Topic::States &woken) {
  for (const auto &state : woken) state->wake();
}

void Watch::State::wake() {
  if (!ready_) return core_->pool->push(shared_from_this());
  const std::lock_guard lock(mutex_);
  if (!leaving_) ready_();
}

// --------------------------------------------------------------------------------------------------------------
// The beginning and the end of a watch

std::shared_ptr<Hub::Topic> Hub::Core::topic_of(const std::string &base) {
  auto &topic = topics_[base];
  if (!topic) {
    topic = std::make_shared<Topic>(base, held_);
    ++lengths_[base.size()];
  }
  return topic;
}

void Hub::Core::drop_if_empty(const Topic &topic) {
  if (!topic.empty()) return;
  const auto length = lengths_.find(topic.base.size());
  if (length != lengths_.end() && --length->second == 0) lengths_.erase(length);
  topics_.erase(topics_.find(topic.base));
}

Watch Hub::Core::begin(std::shared_ptr<State> state, std::optional<std::uint64_t> after) {
  start(!state->pulled());
  route(); // so that little is left to be done while writers wait
  std::vector<std::string> retired;
  Topic::States woken;
  {
    const std::lock_guard routing(route_);
    const std::lock_guard lock(mutex_);
    if (stopping_) throw Error(Status::unavailable, "the storage is closing");
    distribute(take_pending(), woken);
    const bool resumes = after && history_.reaches(*after);
    if (!history_.is_kept()) history_.forget(); // it does not have what happened unwatched
    state->start = resumes ? *after : history_.sequence();
    std::deque<SharedRecord> first;
    if (resumes)
      first = history_.replay(state->base, state->queue, *after);
    else if (after)
      first = {std::make_shared<Record>(Event{Event::Type::resync, Event::Cause::none, {}, history_.sequence(), 0})};
    state->topic_ = topic_of(state->base);
    if (state->topic_->join(state, std::move(first))) woken.push_back(state);
    watches_->fetch_add(1);
    if (state->resumable()) {
      history_.keep();
      lingering_.retire(state->base, retired);
      forget(retired);
    }
  }
  Watch watch(state);
  wake(woken);
  {
    const std::shared_lock lock(sources_mutex_);
    if (sources_) sources_->begin(state->base);
  }
  end_sources(retired); // after the begin: a watch of a store continues if both want it
  if (state->topic_->limit(*state)) state->wake();
  return watch;
}

/// The watches of these bases can no longer be resumed. Under route_ and mutex_.
void Hub::Core::forget(const std::vector<std::string> &ended) {
  watches_->fetch_sub(ended.size());
  history_.release(ended.size());
}

void Hub::Core::expire() {
  std::vector<std::string> ended;
  {
    const std::lock_guard routing(route_);
    const std::lock_guard lock(mutex_);
    expiry_ = lingering_.expire(Clock::now(), ended);
    forget(ended);
  }
  end_later(std::move(ended));
}

void Hub::Core::end_sources(const std::vector<std::string> &bases) {
  const std::shared_lock lock(sources_mutex_);
  for (const std::string &base : bases)
    if (sources_) sources_->end(base);
}

void Hub::Core::end(State &state) {
  std::vector<std::string> ended;
  state.leave();
  {
    const std::lock_guard routing(route_);
    if (state.topic_ && state.topic_->leave(state)) {
      drop_if_empty(*state.topic_);
      const std::lock_guard lock(mutex_);
      if (state.resumable()) {
        linger(state, ended);
      } else {
        watches_->fetch_sub(1);
        ended.push_back(state.base);
      }
    }
  }
  state.await_callback();
  if (!state.pulled()) return end_sources(ended);
  end_later(std::move(ended)); // fronts do not wait for drivers
}

void Hub::Core::end_later(std::vector<std::string> ended) {
  if (!ended.empty()) pool->push(std::make_shared<Ending>(shared_from_this(), std::move(ended)));
}

/// Under route_ and mutex_.
void Hub::Core::linger(const State &state, std::vector<std::string> &ended) {
  const auto until = Clock::now() + state.linger;
  const bool is_full = lingering_.add(state.base, until, ended);
  if (!expiry_ || until < *expiry_) {
    expiry_ = until;
    asleep_ = false;
    wake_.notify_one();
  }
  if (!is_full) return;
  forget(ended);
  history_.forget(); // changes under the dropped base may be reported no more
}

void Watch::State::end() { core_->end(*this); }

void Hub::Core::limit(std::string_view base, const std::vector<Limit> &limits) {
  Topic::States woken;
  {
    const std::lock_guard routing(route_);
    const auto topic = topics_.find(base);
    if (topic != topics_.end()) topic->second->limit(limits, woken);
  }
  wake(woken);
}

void Hub::Core::refresh() {
  const std::shared_lock lock(sources_mutex_);
  if (sources_) sources_->refresh();
}

void Hub::Core::stop() {
  {
    const std::lock_guard lock(sources_mutex_);
    sources_ = nullptr;
  }
  Topic::States states;
  {
    const std::lock_guard routing(route_);
    for (const auto &[base, topic] : topics_) {
      for (const auto &state : topic->members()) {
        state->leave();
        topic->leave(*state);
        states.push_back(state);
      }
    }
    topics_.clear();
    lengths_.clear();
    lingering_.clear();
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    history_.stop();
    pending_.clear();
    expiry_.reset();
    watches_->store(0);
  }
  wake_.notify_one();
  for (const auto &state : states) state->await_callback(); // it may publish
  if (dispatcher_.joinable()) dispatcher_.join();
  pool->stop();
}

// --------------------------------------------------------------------------------------------------------------
// Hub and Watch

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

Watch::~Watch() {
  if (state_) state_->end();
}

std::uint64_t Watch::position() const { return state_ ? state_->start : 0; }

Watch &Watch::operator=(Watch &&other) noexcept {
  if (state_ && state_ != other.state_) state_->end();
  state_ = std::move(other.state_);
  return *this;
}

Hub::Hub(Sources &sources)
    : watches_(std::make_shared<std::atomic<std::size_t>>(0)), core_(std::make_shared<Core>(sources, watches_)) {}

void Hub::stop() { core_->stop(); }

void Hub::publish(Event::Type type, Event::Cause cause, std::string_view key) {
  if (active()) core_->publish(type, cause, key);
}

void Hub::lost(std::string_view base, std::uint64_t count) { core_->lost(base, count); }

Watch Hub::watch(std::string base, std::function<void(const Event &)> callback, const WatchOptions &options) {
  return core_->begin(std::make_shared<Watch::State>(core_, std::move(base), std::move(callback), nullptr, options),
                      options.after);
}

Watch Hub::pull(std::string base, std::function<void()> ready, const WatchOptions &options) {
  return core_->begin(std::make_shared<Watch::State>(core_, std::move(base), nullptr, std::move(ready), options),
                      options.after);
}

void Hub::take(const Watch &watch, EventTaker &taker) { Watch::State::of(watch).take(taker); }

void Hub::limit(std::string_view base, const std::vector<Limit> &limits) { core_->limit(base, limits); }

void Hub::refresh() { core_->refresh(); }

} // namespace omnistore
