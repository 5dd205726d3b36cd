// SPDX-License-Identifier: Apache-2.0
// The layer `limit`: bounds how many operations a second, and how many at once, reach the store below.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <omnistore/driver.hpp>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::Call;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds cancel_check{50}; // how often a waiting operation checks that its caller is still there

/// A token bucket. Its state is one number: the time at which it will be full again. Thread-safe.
class Bucket {
public:
  Bucket(double rate, std::int64_t burst)
      : interval_(rate > 0 ? 1e9 / rate : 0),
        depth_(static_cast<std::int64_t>(interval_ * (burst > 0 ? static_cast<double>(burst) : std::max(rate, 1.0)))) {}

  /// Takes `count` tokens and returns how long to wait for them. If that is more than `most`, takes none.
  nanoseconds take(std::uint32_t count, nanoseconds most) {
    if (interval_ == 0) return nanoseconds(0);
    const std::lock_guard guard(mutex_);
    const Clock::time_point now = Clock::now();
    const Clock::time_point full =
        std::max(full_, now) + nanoseconds(static_cast<std::int64_t>(interval_ * static_cast<double>(count)));
    const nanoseconds wait = std::max<nanoseconds>(full - depth_ - now, nanoseconds(0));
    if (wait <= most) full_ = full;
    return wait;
  }

private:
  const double interval_; // nanoseconds between two tokens; 0: no limit
  const nanoseconds depth_;
  std::mutex mutex_;
  Clock::time_point full_{};
};

class Limit : public omnistore::Forward<Limit> {
public:
  Limit(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
        std::span<const omnistore_store *const> children)
      : Forward(children[0], traits, ~std::uint64_t{OMNISTORE_NEVER_BLOCKS}),
        bucket_(options.number("rate", 0), options.integer("burst", 0)),
        concurrency_(options.integer("concurrency", 0)), max_wait_(options.integer("maxWait", 10'000)) {}

  template <class Run>
  omnistore_status around(const omnistore::Step &step, Call call, Run run) {
    const Clock::time_point until =
        Clock::now() + std::min(max_wait_, milliseconds(std::min<std::int64_t>(call.remaining(), max_wait_.count())));
    const Place place(*this);
    if (const omnistore_status status = enter(call, until); status != OMNISTORE_OK) return status;
    place.taken = true;
    if (const omnistore_status status = pay(call, step.items, until); status != OMNISTORE_OK) return status;
    return run(call);
  }

  std::string stats(Call) {
    const std::lock_guard guard(mutex_);
    return R"({"counters": {"waited": )" + std::to_string(waited_.load()) + R"(, "refused": )" +
           std::to_string(refused_.load()) + R"(}, "gauges": {"running": )" + std::to_string(running_) + "}}";
  }

private:
  /// A place among the running operations. The destructor gives it back.
  struct Place {
    Limit &limit;
    mutable bool taken = false;
    explicit Place(Limit &of) : limit(of) {}
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;
    ~Place() {
      if (!taken) return;
      const std::lock_guard guard(limit.mutex_);
      --limit.running_;
      limit.left_.notify_one();
    }
  };

  /// Waits for a place.
  omnistore_status enter(Call call, Clock::time_point until) {
    std::unique_lock guard(mutex_);
    bool counted = false;
    while (concurrency_ > 0 && running_ >= concurrency_) {
      const Clock::time_point now = Clock::now();
      if (call.cancelled()) return gone(call);
      if (now >= until) return refuse(call, "too many operations run at once", 0);
      if (!std::exchange(counted, true)) ++waited_;
      left_.wait_until(guard, std::min(until, now + cancel_check));
    }
    ++running_;
    return OMNISTORE_OK;
  }

  /// Waits for tokens.
  omnistore_status pay(Call call, std::uint32_t count, Clock::time_point until) {
    const nanoseconds most = std::max<nanoseconds>(until - Clock::now(), nanoseconds(0));
    const nanoseconds wait = bucket_.take(count, most);
    if (wait > most)
      return refuse(call, "too many operations a second",
                    std::chrono::ceil<milliseconds>(wait - std::min<nanoseconds>(most, max_wait_)).count());
    if (wait > nanoseconds(0)) ++waited_;
    const Clock::time_point turn = Clock::now() + wait;
    for (Clock::time_point now = Clock::now(); now < turn; now = Clock::now()) {
      if (call.cancelled()) return gone(call);
      std::this_thread::sleep_for(std::min<nanoseconds>(turn - now, cancel_check));
    }
    return OMNISTORE_OK;
  }

  omnistore_status refuse(Call call, std::string_view message, std::int64_t retry_after) {
    ++refused_;
    return call.fail(OMNISTORE_UNAVAILABLE, message, {true, std::max<std::int64_t>(retry_after, 1)});
  }
  static omnistore_status gone(Call call) {
    return call.fail(OMNISTORE_CANCELLED, "the caller went away before its turn", omnistore::nothing_done);
  }

  Bucket bucket_;
  const std::int64_t concurrency_;
  const milliseconds max_wait_;
  std::mutex mutex_;
  std::condition_variable left_; // a place became free
  std::int64_t running_ = 0;
  std::atomic<std::uint64_t> waited_{0}, refused_{0};
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Limit>("limit", "1.0.0", "Limits how many operations reach a store",
                                                       OMNISTORE_OPTIONS_SCHEMA, omnistore::forward_traits, 1, 1))
