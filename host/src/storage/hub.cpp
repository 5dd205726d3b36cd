// SPDX-License-Identifier: Apache-2.0
#include "storage/hub.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <thread>

#include <spdlog/spdlog.h>

namespace omnistore {

class Watch::State {
public:
  State(std::string base, std::function<void(const Event &)> callback, std::size_t most,
        std::shared_ptr<std::atomic<std::size_t>> running)
      : base_(std::move(base)), callback_(std::move(callback)), most_(std::max<std::size_t>(most, 1)),
        running_(std::move(running)) {}

  static void start(const std::shared_ptr<State> &self) {
    self->running_->fetch_add(1);
    self->thread_ = std::thread([self] { self->run(); });
    self->id_ = self->thread_.get_id();
  }

  bool wants(const Event &event) const {
    const std::string_view key = event.key;
    return event.type == Event::Type::resync || base_.empty() || key == base_ ||
           (key.size() > base_.size() && key[base_.size()] == ':' && key.starts_with(base_));
  }

  void push(const Event &event) {
    {
      std::lock_guard lock(mutex_);
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

  /// Returns after the last callback has; called from inside one: at once.
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
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

private:
  Event resync() {
    Event event{Event::Type::resync, Event::Cause::none, {}, last_, missed_};
    missed_ = 0;
    return event;
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (queue_.empty()) {
        if (missed_ != 0)
          queue_.push_back(resync());
        else
          changed_.wait(lock);
        continue;
      }
      const Event event = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      try {
        callback_(event);
      } catch (const std::exception &error) {
        spdlog::error("a watch's callback threw: {}", error.what());
      }
      lock.lock();
    }
    running_->fetch_sub(1);
    done_.store(true);
  }

  const std::string base_;
  const std::function<void(const Event &)> callback_;
  const std::size_t most_;
  const std::shared_ptr<std::atomic<std::size_t>> running_;
  std::mutex mutex_, join_;
  std::condition_variable changed_;
  std::deque<Event> queue_;
  std::uint64_t missed_ = 0, last_ = 0;
  bool stopping_ = false;
  std::atomic<bool> done_{false};
  std::thread thread_;
  std::thread::id id_; ///< set before the first event can come
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

Watch::~Watch() {
  if (state_) state_->stop();
}

Watch &Watch::operator=(Watch &&other) noexcept {
  if (state_ && state_ != other.state_) state_->stop();
  state_ = std::move(other.state_);
  return *this;
}

Hub::Hub() : watches_(std::make_shared<std::atomic<std::size_t>>(0)) {}

void Hub::stop() {
  std::vector<std::shared_ptr<Watch::State>> states;
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
  for (auto &state : states_)
    if (state->wants(event)) state->push(event);
}

Watch Hub::watch(std::string base, std::function<void(const Event &)> callback, std::size_t queue) {
  auto state = std::make_shared<Watch::State>(std::move(base), std::move(callback), queue, watches_);
  std::lock_guard lock(mutex_);
  std::erase_if(states_, [](const auto &known) { return known->done(); });
  Watch::State::start(state);
  states_.push_back(state);
  return Watch(std::move(state));
}

} // namespace omnistore
