// SPDX-License-Identifier: Apache-2.0
#include "storage/topic.hpp"

#include <spdlog/spdlog.h>

namespace omnistore {
namespace {

constexpr std::size_t most_at_once = 64;          // events that a callback is called for in one turn at least
constexpr std::chrono::milliseconds turn_time{2}; // then others of the pool have theirs

} // namespace

// --------------------------------------------------------------------------------------------------------------
// Topic

void Hub::Topic::drop_first() {
  const std::size_t bytes = entries_.front().record->bytes();
  bytes_ -= bytes;
  held_->fetch_sub(bytes, std::memory_order_relaxed);
  entries_.pop_front();
  ++first_;
}

void Hub::Topic::append(const SharedRecord &record, std::size_t room, States &woken) {
  const std::lock_guard lock(mutex_);
  if (members_.empty()) return;
  if (woken.capacity() < woken.size() + armed_.size()) // nothing below may fail once the entry is there
    woken.reserve(std::max(2 * woken.size(), woken.size() + armed_.size()));
  entries_.push_back({record, at_});
  const bool counts = record->event.type == Event::Type::resync;
  at_ += counts ? std::max<std::uint64_t>(record->event.missed, 1) : 1;
  bytes_ += record->bytes();
  held_->fetch_add(record->bytes(), std::memory_order_relaxed);
  while (entries_.size() > most_ || (bytes_ > room && entries_.size() > 1)) drop_first();
  for (State *state : armed_) {
    state->armed_ = State::none;
    woken.push_back(state->shared_from_this());
  }
  armed_.clear();
}

bool Hub::Topic::join(const std::shared_ptr<State> &state, std::deque<SharedRecord> replay) {
  const std::lock_guard lock(mutex_);
  armed_.reserve(members_.size() + 1);
  members_.push_back(state);
  state->member_ = members_.size() - 1;
  most_ = std::max(most_, state->queue);
  state->number_ = end();
  state->at_ = at_;
  state->replay_ = std::move(replay);
  if (state->pulled()) return false;
  if (!state->replay_.empty()) return true;
  arm(*state);
  return false;
}

bool Hub::Topic::leave(State &state) {
  std::shared_ptr<State> kept; // ends outside of the lock
  const std::lock_guard lock(mutex_);
  if (state.member_ == State::none) return false;
  disarm(state);
  const std::size_t place = std::exchange(state.member_, State::none);
  kept = std::move(members_[place]);
  if (place + 1 != members_.size()) {
    members_[place] = std::move(members_.back());
    members_[place]->member_ = place;
  }
  members_.pop_back();
  state.replay_.clear();
  if (members_.empty()) {
    while (!entries_.empty()) drop_first();
  }
  return true;
}

bool Hub::Topic::empty() const {
  const std::lock_guard lock(mutex_);
  return members_.empty();
}

Hub::Topic::States Hub::Topic::members() const {
  const std::lock_guard lock(mutex_);
  return members_;
}

void Hub::Topic::arm(State &state) {
  if (state.member_ == State::none || state.armed_ != State::none) return;
  state.armed_ = armed_.size();
  armed_.push_back(&state); // join() made room
  if (armed_.size() < members_.size()) return;
  while (!entries_.empty()) drop_first(); // everybody has read everything
}

void Hub::Topic::disarm(State &state) {
  if (state.armed_ == State::none) return;
  const std::size_t place = std::exchange(state.armed_, State::none);
  armed_[place] = armed_.back();
  if (armed_[place] != &state) armed_[place]->armed_ = place;
  armed_.pop_back();
}

bool Hub::Topic::notify(State &state, const std::vector<Limit> &limits) {
  if (!state.limited_ && !state.pulled()) return false;
  std::vector<State::KnownLimit> now;
  bool news = false;
  for (const Limit &limit : limits) {
    const auto known = std::find_if(state.limits_.begin(), state.limits_.end(),
                                    [&](const State::KnownLimit &other) { return other.limit == limit; });
    const bool reported = known != state.limits_.end() && known->reported;
    news = news || !reported;
    now.push_back({limit, reported});
  }
  state.limits_ = std::move(now);
  if (!news || state.armed_ == State::none) return false;
  disarm(state);
  return true;
}

void Hub::Topic::limit(const std::vector<Limit> &limits, States &woken) {
  const std::lock_guard lock(mutex_);
  if (limits == limits_) return;
  limits_ = limits;
  for (const auto &state : members_)
    if (notify(*state, limits_)) woken.push_back(state);
}

bool Hub::Topic::limit(State &state) {
  const std::lock_guard lock(mutex_);
  return state.member_ != State::none && notify(state, limits_);
}

// --------------------------------------------------------------------------------------------------------------
// A watch

Watch::State::State(std::shared_ptr<Hub::Core> core, std::string of, std::function<void(const Event &)> callback,
                    std::function<void()> ready, const WatchOptions &options)
    : base(std::move(of)), queue(std::max<std::size_t>(options.queue, 1)), linger(options.linger),
      core_(std::move(core)), callback_(std::move(callback)), ready_(std::move(ready)), limited_(options.limited) {}

Watch::State::Turn Watch::State::next(std::string &limit, std::vector<SharedRecord> &events) {
  const std::lock_guard lock(topic_->mutex_);
  for (KnownLimit &known : limits_) {
    if (std::exchange(known.reported, true)) continue;
    limit = known.limit.message;
    return Turn::limit;
  }
  topic_->read(*this, [&](const SharedRecord &record) {
    events.push_back(record);
    return events.size() < most_at_once;
  });
  if (!events.empty()) return Turn::events; // not armed: it continues to read when they are reported
  topic_->arm(*this);
  return Turn::nothing;
}

bool Watch::State::run() {
  const auto until = std::chrono::steady_clock::now() + turn_time;
  std::vector<SharedRecord> events;
  std::string limit;
  events.reserve(most_at_once);
  do {
    events.clear();
    switch (next(limit, events)) {
    case Turn::nothing:
      return false;
    case Turn::limit:
      if (!call(limited_, limit)) return false;
      break;
    case Turn::events:
      for (const SharedRecord &record : events)
        if (!call(callback_, record->event)) return false;
      break;
    }
  } while (std::chrono::steady_clock::now() < until);
  return true;
}

template <typename Callback, typename What>
bool Watch::State::call(const Callback &callback, const What &what) {
  {
    const std::lock_guard lock(mutex_);
    if (leaving_) return false;
    calling_ = true;
    caller_ = std::this_thread::get_id();
  }
  try {
    callback(what);
  } catch (const std::exception &error) {
    spdlog::error("a watch's callback threw: {}", error.what());
  }
  const std::lock_guard lock(mutex_);
  calling_ = false;
  if (leaving_) idle_.notify_all();
  return !leaving_;
}

void Watch::State::take(EventTaker &taker) {
  const std::lock_guard lock(topic_->mutex_);
  for (KnownLimit &known : limits_) {
    if (known.reported) continue;
    known.reported = true;
    if (!taker.limited(known.limit.message)) return;
  }
  if (topic_->read(*this, [&](const SharedRecord &record) { return taker.event(*record); })) topic_->arm(*this);
}

void Watch::State::leave() {
  const std::lock_guard lock(mutex_);
  leaving_ = true;
}

void Watch::State::await_callback() {
  std::unique_lock lock(mutex_);
  if (calling_ && caller_ == std::this_thread::get_id()) return; // nobody can wait for himself
  idle_.wait(lock, [this] { return !calling_; });
}

} // namespace omnistore
