// SPDX-License-Identifier: Apache-2.0
#include "storage/hub.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <system_error>
#include <thread>

#include <spdlog/spdlog.h>

namespace omnistore {
namespace {

constexpr std::size_t most_remembered = 4096;
constexpr std::size_t most_lingering = 64;

/// Whether a key is the base itself or lies under it.
bool lies_under(std::string_view key, std::string_view base) {
  return base.empty() || key == base || (key.size() > base.size() && key[base.size()] == ':' && key.starts_with(base));
}

} // namespace

struct Hub::Owner {
  std::mutex mutex;
  std::function<void()> changed; ///< empty once the hub has stopped

  void tell() {
    std::lock_guard lock(mutex);
    if (changed) changed();
  }
};

class Watch::State {
public:
  State(std::string base, std::function<void(const Event &)> callback, const WatchOptions &options,
        std::shared_ptr<std::atomic<std::size_t>> running, std::function<void()> ended)
      : base_(std::move(base)), callback_(std::move(callback)), most_(std::max<std::size_t>(options.queue, 1)),
        linger_(options.linger), limited_(options.limited), running_(std::move(running)), ended_(std::move(ended)) {}

  ~State() {
    if (!thread_.joinable()) return;
    if (std::this_thread::get_id() == id_)
      thread_.detach();
    else
      thread_.join();
  }

  static void start(const std::shared_ptr<State> &self, std::uint64_t position) {
    self->position_ = position;
    self->running_->fetch_add(1);
    try {
      self->thread_ = std::thread([self] { self->run(); });
    } catch (const std::system_error &error) {
      self->running_->fetch_sub(1);
      throw Error(Status::unavailable, std::string("a thread for the watch: ") + error.what());
    }
    self->id_ = self->thread_.get_id();
  }

  const std::string &base() const { return base_; }
  std::uint64_t position() const { return position_; }
  bool resumable() const { return linger_.count() > 0; }
  bool wants(const Event &event) const { return lies_under(event.key, base_); }
  bool touches(std::string_view base) const { return lies_under(base, base_) || lies_under(base_, base); }

  void push(const Event &event) {
    {
      std::lock_guard lock(mutex_);
      if (leaving_) return;
      last_ = event.sequence;
      if (queue_.size() >= most_) {
        ++missed_;
        return;
      }
      if (missed_ != 0) queue_.push_back(resync());
      queue_.push_back(event);
    }
    changed_.notify_one();
  }

  void push_resync(std::uint64_t sequence, std::uint64_t count) {
    {
      std::lock_guard lock(mutex_);
      if (leaving_) return;
      last_ = sequence;
      // A queue that is full has a resync coming already.
      if (queue_.size() < most_)
        queue_.push_back({Event::Type::resync, Event::Cause::none, {}, sequence, count});
      else
        missed_ += std::max<std::uint64_t>(count, 1);
    }
    changed_.notify_one();
  }

  /// Each limit waits outside the queue: it is not lost if the queue is full, and there are only so many as mounts.
  void limit(const std::vector<Hub::Limit> &limits) {
    {
      std::lock_guard lock(mutex_);
      asked_ = true;
      if (!limited_) return;
      std::vector<KnownLimit> now;
      for (const Hub::Limit &limit : limits) {
        const auto told =
            std::find_if(limits_.begin(), limits_.end(), [&](const KnownLimit &known) { return known.limit == limit; });
        now.push_back({limit, told != limits_.end() && told->told});
      }
      limits_ = std::move(now);
    }
    changed_.notify_one();
  }
  /// Returns true if limit() was called.
  bool asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

  /// Returns after the last callback has; called from inside one: at once. What lingers goes on without callbacks.
  void end() {
    std::unique_lock lock(mutex_);
    leaving_ = true;
    queue_.clear();
    if (!resumable()) {
      lock.unlock();
      return stop();
    }
    until_ = std::chrono::steady_clock::now() + linger_;
    changed_.notify_one();
    if (std::this_thread::get_id() != id_) idle_.wait(lock, [this] { return !calling_; });
  }

  /// The same, without lingering.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      leaving_ = stopping_ = true;
      queue_.clear();
    }
    changed_.notify_one();
    if (std::this_thread::get_id() == id_) {
      // Nobody can wait for himself. Where another thread is joining already, it is left to that one.
      std::unique_lock joining(join_, std::try_to_lock);
      if (joining && thread_.joinable()) thread_.detach(); // the thread's own pointer keeps the state
      return;
    }
    std::lock_guard joining(join_);
    if (thread_.joinable()) thread_.join();
  }

  bool done() const { return done_.load(); }
  /// Until when it lingers; nullopt: it runs still, or lingers no more.
  std::optional<std::chrono::steady_clock::time_point> lingers() {
    std::lock_guard lock(mutex_);
    return leaving_ && !stopping_ ? std::optional(until_) : std::nullopt;
  }
  /// Lingers no longer. Does not wait.
  void retire() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
  }

private:
  struct KnownLimit {
    Hub::Limit limit;
    bool told;
  };

  Event resync() {
    Event event{Event::Type::resync, Event::Cause::none, {}, last_, missed_};
    missed_ = 0;
    return event;
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (leaving_) {
        if (until_ <= std::chrono::steady_clock::now()) break;
        changed_.wait_until(lock, until_);
      } else if (const auto untold =
                     std::find_if(limits_.begin(), limits_.end(), [](auto &known) { return !known.told; });
                 untold != limits_.end()) {
        untold->told = true;
        call(lock, limited_, std::string(untold->limit.message));
      } else if (!queue_.empty()) {
        const Event event = std::move(queue_.front());
        queue_.pop_front();
        call(lock, callback_, event);
      } else if (missed_ != 0) {
        queue_.push_back(resync());
      } else {
        changed_.wait(lock);
      }
    }
    lock.unlock();
    running_->fetch_sub(1);
    done_.store(true);
    ended_();
  }

  template <typename Callback, typename What>
  void call(std::unique_lock<std::mutex> &lock, const Callback &callback, const What &what) {
    calling_ = true;
    lock.unlock();
    try {
      callback(what);
    } catch (const std::exception &error) {
      spdlog::error("a watch's callback threw: {}", error.what());
    }
    lock.lock();
    calling_ = false;
    idle_.notify_all();
  }

  const std::string base_;
  const std::function<void(const Event &)> callback_;
  const std::size_t most_;
  const std::chrono::milliseconds linger_;
  const std::function<void(const std::string &)> limited_;
  const std::shared_ptr<std::atomic<std::size_t>> running_;
  const std::function<void()> ended_;
  std::mutex mutex_, join_;
  std::condition_variable changed_, idle_;
  std::deque<Event> queue_;
  std::uint64_t missed_ = 0, last_ = 0;
  std::vector<KnownLimit> limits_; ///< those that there are now
  bool asked_ = false;             ///< limit() was called
  bool leaving_ = false;           ///< no callback begins any more
  bool stopping_ = false;
  bool calling_ = false;
  std::chrono::steady_clock::time_point until_; ///< how long it lingers
  std::atomic<bool> done_{false};
  std::thread thread_;
  std::uint64_t position_ = 0;
  std::thread::id id_; ///< set before the first event can come
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

Watch::~Watch() {
  if (state_) state_->end();
}

std::uint64_t Watch::position() const { return state_ ? state_->position() : 0; }

Watch &Watch::operator=(Watch &&other) noexcept {
  if (state_ && state_ != other.state_) state_->end();
  state_ = std::move(other.state_);
  return *this;
}

// Numbers rise from one run of a host to the next, so that a watcher who goes on after a restart is told to resync.
Hub::Hub(std::function<void()> changed)
    : watches_(std::make_shared<std::atomic<std::size_t>>(0)), owner_(std::make_shared<Owner>()),
      sequence_(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count()) {
  owner_->changed = std::move(changed);
}

void Hub::stop() {
  {
    std::lock_guard lock(owner_->mutex);
    owner_->changed = nullptr;
  }
  States states;
  {
    std::lock_guard lock(mutex_); // not held while a callback is waited for: it may be publishing
    states.swap(states_);
  }
  for (auto &state : states) state->stop();
}

void Hub::publish(Event::Type type, Event::Cause cause, std::string_view key) {
  if (!active()) return;
  Event event{type, cause, std::string(key), 0, 0};
  std::lock_guard lock(mutex_);
  event.sequence = ++sequence_;
  bool resumable = false;
  for (auto &state : states_) {
    resumable = resumable || state->resumable();
    if (state->wants(event)) state->push(event);
  }
  if (!resumable) return;
  history_.push_back(std::move(event));
  if (history_.size() > most_remembered) history_.pop_front();
}

void Hub::lost(std::string_view base, std::uint64_t count) {
  std::lock_guard lock(mutex_);
  ++sequence_;
  history_.clear(); // nobody can go on from before it
  for (auto &state : states_)
    if (state->touches(base)) state->push_resync(sequence_, count);
}

bool Hub::remembered(std::uint64_t after) const {
  const bool recording =
      std::any_of(states_.begin(), states_.end(), [](auto &state) { return state->resumable() && !state->done(); });
  if (!recording) return false;
  return after == sequence_ || (!history_.empty() && history_.front().sequence <= after + 1 && after < sequence_);
}

void Hub::retire(std::string_view successor) {
  std::size_t left = 0;
  std::shared_ptr<Watch::State> first;
  for (const auto &state : states_) {
    const auto until = state->lingers();
    if (!until) continue;
    if (lies_under(state->base(), successor)) {
      state->retire();
      continue;
    }
    ++left;
    if (!first || *until < *first->lingers()) first = state;
  }
  if (left < most_lingering) return;
  first->retire();
  ++sequence_; // nobody can go on from before this: changes under its base may be told of no more
  history_.clear();
}

Watch Hub::watch(std::string base, std::function<void(const Event &)> callback, const WatchOptions &options) {
  auto state = std::make_shared<Watch::State>(std::move(base), std::move(callback), options, watches_,
                                              [owner = owner_] { owner->tell(); });
  {
    std::lock_guard lock(mutex_);
    std::erase_if(states_, [](const auto &known) { return known->done(); });
    const bool goes_on = options.after && remembered(*options.after);
    if (state->resumable()) retire(state->base());
    if (std::none_of(states_.begin(), states_.end(), [](auto &known) { return known->resumable(); })) {
      ++sequence_; // what happened unwatched is not in the history: nobody can go on from before it
      history_.clear();
    }
    Watch::State::start(state, goes_on ? *options.after : sequence_);
    states_.push_back(state);
    if (options.after && !goes_on) state->push_resync(sequence_, 0);
    if (goes_on)
      for (const Event &event : history_)
        if (event.sequence > *options.after && state->wants(event)) state->push(event);
  }
  owner_->tell();
  return Watch(std::move(state));
}

std::vector<Hub::Wanted> Hub::wanted() {
  std::vector<Wanted> wanted;
  std::lock_guard lock(mutex_);
  for (const auto &state : states_)
    if (!state->done()) wanted.push_back({state->base(), !state->asked()});
  return wanted;
}

void Hub::limit(std::string_view base, const std::vector<Limit> &limits) {
  std::lock_guard lock(mutex_);
  for (const auto &state : states_)
    if (state->base() == base) state->limit(limits);
}

void Hub::refresh() { owner_->tell(); }

} // namespace omnistore
