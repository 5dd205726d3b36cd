// SPDX-License-Identifier: Apache-2.0
#include "storage/watchdog.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/in_flight.hpp"
#include "base/printable.hpp"

namespace omnistore {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How often it looks: often while calls are under way, less often while calls begin and end between the looks. If none
/// has begun since the last look, it sleeps until one begins.
constexpr milliseconds pause_between{20}, idle_pause{50};

/// Returns true if a thread of this process sleeps or waits for a device. One that computes, or that others keep off
/// the processors, does not wait.
bool waits(int thread) {
  char text[512];
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t got = ::read(file, text, sizeof text);
  ::close(file);
  if (got <= 0) return false;
  const std::string_view stat(text, static_cast<std::size_t>(got));
  const std::size_t name_end = stat.rfind(')'); // the name before it may hold anything
  return name_end != stat.npos && name_end + 2 < stat.size() &&
         (stat[name_end + 2] == 'S' || stat[name_end + 2] == 'D');
}

} // namespace

struct Watchdog::Impl {
  struct Call {
    std::uint64_t number = 0;
    Clock::time_point began;
    Clock::time_point since; ///< from when on the time is the driver's
    unsigned round = 0;
    unsigned waiting = 0;  ///< how many looks in a row have found it waiting
    std::string logged;    ///< how it was logged; empty: it was not yet
    bool left_out = false; ///< of the log, since there were so many
  };

  /// One look at all calls. Returns whether there were any.
  bool look() {
    const auto now = Clock::now();
    ++round_;
    std::vector<std::string> stuck;
    const std::lock_guard looking(look_mutex_);
    base::for_each_call([&](const base::SeenCall &seen) {
      Call &call = known_[{seen.slot, seen.depth}];
      if (call.number != seen.number) {
        ended(call, now);
        call = {seen.number, now, now, round_, 0, {}, false};
      }
      call.round = round_;
      if (seen.waits) {
        ended(call, now);
        call.logged.clear();
        call.left_out = false;
        call.since = now;
        call.waiting = 0;
        return;
      }
      const auto time = now - call.since;
      if (seen.innermost && time >= pause_between && seen.label->never_blocks()) {
        call.waiting = waits(seen.thread) ? call.waiting + 1 : 0;
        if (time >= blocking && call.waiting >= 2) const_cast<base::CallLabel *>(seen.label)->blocked(seen.operation);
      }
      if (time < milliseconds(stuck_.load()) || !call.logged.empty() || call.left_out) return;
      if (!may_log(now)) {
        call.left_out = true;
        ++left_out_;
        return;
      }
      call.logged = base::printable(std::string(seen.operation) + " (mount " + seen.label->mount + ", driver " +
                                    seen.label->driver + ")");
      stuck.push_back(call.logged + " has run for " + seconds_text(time));
    });
    for (const std::string &text : stuck) spdlog::warn("{}; it still runs", text);
    if (left_out_ != 0 && may_log(now)) spdlog::warn("{} more calls run for so long", std::exchange(left_out_, 0));
    std::erase_if(known_, [&](auto &entry) {
      if (entry.second.round == round_) return false;
      ended(entry.second, now);
      return true;
    });
    return !known_.empty();
  }

  std::vector<Watchdog::Running> running(const std::function<bool(const base::CallLabel &)> &of) {
    std::vector<Watchdog::Running> calls;
    const auto now = Clock::now();
    const std::lock_guard looking(look_mutex_);
    base::for_each_call([&](const base::SeenCall &seen) {
      if (seen.depth != 0 || !of(*seen.label)) return;
      const auto known = known_.find({seen.slot, seen.depth});
      const bool is_known = known != known_.end() && known->second.number == seen.number;
      calls.push_back({seen.operation, seen.label->mount, seen.label->driver,
                       is_known ? now - known->second.began : Clock::duration(0), seen.waits});
    });
    return calls;
  }

  /// At most so many lines a second: a store that hangs can hold any number of calls.
  bool may_log(Clock::time_point now) {
    constexpr unsigned most = 10;
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      lines_ = 0;
    }
    return ++lines_ <= most;
  }

  static void ended(const Call &call, Clock::time_point now) {
    if (!call.logged.empty()) spdlog::warn("{} ended after {}", call.logged, seconds_text(now - call.since));
  }

  void run() {
    ::pthread_setname_np(::pthread_self(), "watchdog");
    std::uint64_t activity = 0;
    while (!stopping_) {
      bool any = false, is_idle = false;
      try {
        any = look();
        const std::uint64_t before = std::exchange(activity, base::call_activity());
        is_idle = activity == before && !any && left_out_ == 0;
      } catch (const std::exception &) { // out of memory: the next look may go better
      }
      if (is_idle) base::await_call(stopping_);
      // A call that woke it is looked at after a pause too: most end within it.
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, any ? pause_between : idle_pause, [this] { return stopping_.load(); });
    }
  }

  std::atomic<std::int64_t> stuck_{default_stuck.count()};
  std::mutex look_mutex_; ///< for what follows; before the lock of for_each_call()
  std::map<std::pair<const void *, std::uint32_t>, Call> known_;
  unsigned round_ = 0;
  Clock::time_point second_{}; ///< in which `lines_` were logged
  unsigned lines_ = 0;
  std::uint64_t left_out_ = 0; ///< calls that were not logged, and not counted in the log yet
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

Watchdog::Watchdog() : impl_(std::make_unique<Impl>()) {
  try {
    impl_->thread_ = std::thread([impl = impl_.get()] { impl->run(); });
  } catch (const std::exception &error) { // the system's limit: stores work without it
    spdlog::warn("calls that take too long are not looked for, since no thread can be started: {}", error.what());
  }
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(impl_->mutex_);
    impl_->stopping_ = true;
  }
  impl_->changed_.notify_all();
  base::detail::wake_watcher();
  if (impl_->thread_.joinable()) impl_->thread_.join();
}

void Watchdog::set_stuck(std::chrono::milliseconds limit) { impl_->stuck_.store(limit.count()); }

std::vector<Watchdog::Running> Watchdog::running(const std::function<bool(const base::CallLabel &)> &of) const {
  return impl_->running(of);
}

std::shared_ptr<Watchdog> Watchdog::shared() {
  static std::mutex &mutex = *new std::mutex;
  static auto &running = *new std::weak_ptr<Watchdog>;
  const std::lock_guard lock(mutex);
  auto watchdog = running.lock();
  if (!watchdog) running = watchdog = std::shared_ptr<Watchdog>(new Watchdog);
  return watchdog;
}

} // namespace omnistore
