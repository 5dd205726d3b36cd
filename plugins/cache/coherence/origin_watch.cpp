// SPDX-License-Identifier: Apache-2.0
#include "coherence/origin_watch.hpp"

#include <algorithm>
#include <chrono>

#include <omnistore/background.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/lag.hpp>

namespace cache {

using omnistore::Call, omnistore::CapturingCall, omnistore::Failure;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds first_wait{50}, longest_wait{2000}, longest_try{10'000};

const omnistore_lag *needed_lag_of(const omnistore::Child &origin) {
  if (const omnistore_lag *const found = omnistore::lag_of(origin)) return found;
  throw Failure(OMNISTORE_UNSUPPORTED,
                "option coherent: the origin (" + std::string(origin.name()) +
                    ") cannot prove that it reports all changes; use redis, postgres, etcd, fs or "
                    "sqlite as the origin, or leave the option out and set maxAge");
}

} // namespace

OriginWatch::OriginWatch(const omnistore_host &host, omnistore::Child origin, Call call, std::int64_t max_lag)
    : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, host_(host), origin_(origin),
      lag_(needed_lag_of(origin)), rules_(max_lag) {
  CapturingCall on(call);
  const omnistore_status status = start(on);
  if (status == OMNISTORE_OK) return;
  if (!omnistore::is_failure(status))
    throw Failure(status, "option coherent: the origin (" + std::string(origin_.name()) +
                              ") cannot be watched: " + on.reason());
  omnistore::log_line(host_, OMNISTORE_LOG_WARN, "no copy is used until the origin can be watched: " + on.reason());
  thread_ = omnistore::background_thread([this] { keep_trying(); });
}

OriginWatch::~OriginWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (begun_) origin_.unwatch(watch_);
}

/// Begins the watch. Earlier copies are not trusted, since changes of their keys were not reported.
omnistore_status OriginWatch::start(Call call) {
  const omnistore_watch_request request{sizeof request, 0, {nullptr, 0}};
  void *watch = nullptr;
  const omnistore_status status = lag_->watch(origin_.raw()->self, call.raw(), &request, this, &watch);
  if (status != OMNISTORE_OK) return status;
  rules_.lost();
  watch_.store(watch, std::memory_order_release);
  begun_.store(true, std::memory_order_release);
  lag(); // so that the driver renews its proof from now on
  return OMNISTORE_OK;
}

void OriginWatch::keep_trying() {
  for (milliseconds pause = first_wait;; pause = std::min(2 * pause, longest_wait)) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, pause, [this] { return stopping_.load(); })) return;
    }
    omnistore::BackgroundCall call(&stopping_, omnistore::BackgroundCall::Clock::now() + longest_try);
    try {
      if (start(Call(&call)) != OMNISTORE_OK) continue;
      const omnistore_event resync{sizeof resync, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, 0};
      return take(resync);
    } catch (const std::exception &) { // the next try follows
    }
  }
}

std::int64_t OriginWatch::lag() const {
  if (!begun_.load(std::memory_order_acquire)) return OMNISTORE_LAG_UNKNOWN;
  return lag_->lag(origin_.raw()->self, watch_.load(std::memory_order_relaxed));
}

// -------------------------------------------------------------------------------------------------------------- events

void OriginWatch::take(const omnistore_event &change) {
  const std::string_view key = omnistore::as_view(change.key);
  const bool names_key = change.type == OMNISTORE_EVENT_UPDATE || change.type == OMNISTORE_EVENT_REMOVE;
  if (names_key) {
    events_.fetch_add(1, std::memory_order_relaxed);
    rules_.changed(key);
    if (key.ends_with('$')) rules_.changed(key.substr(0, key.size() - 1)); // its user meta, which the copy has too
  } else {
    losses_.fetch_add(1, std::memory_order_relaxed);
    rules_.lost();
  }
  const std::lock_guard lock(readers_mutex_);
  for (const auto &reader : readers_)
    if (!names_key || key.starts_with(reader->base)) reader->watcher->event(reader->watcher, &change);
}

void OMNISTORE_CALL OriginWatch::event_(omnistore_watcher *watcher, const omnistore_event *change) noexcept {
  static_cast<OriginWatch *>(watcher)->take(*change);
}

void *OriginWatch::add(std::string_view base, omnistore_watcher &watcher) {
  auto reader = std::make_unique<Reader>(Reader{std::string(base), &watcher});
  const std::lock_guard lock(readers_mutex_);
  readers_.push_back(std::move(reader));
  return readers_.back().get();
}

void OriginWatch::end(void *watch) {
  const std::lock_guard lock(readers_mutex_);
  std::erase_if(readers_, [&](const auto &reader) { return reader.get() == watch; });
}

} // namespace cache
