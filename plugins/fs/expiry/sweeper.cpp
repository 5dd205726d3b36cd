// SPDX-License-Identifier: Apache-2.0
#include "expiry/sweeper.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <utility>

#include "expiry/expiry.hpp"

namespace fs {

namespace {
/// How long it works at a time, and how long it pauses.
constexpr std::chrono::milliseconds work_slice(20);
constexpr std::int64_t pause_between = 40, shortest_wait = 1000, walk_interval = 3600 * 1000; // milliseconds
} // namespace

void Deadlines::add(std::int64_t expiry, std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (expiry >= horizon_) return;
  soon_.emplace(expiry, key);
  if (soon_.size() <= limit_) return;
  const auto last = std::prev(soon_.end());
  horizon_ = last->first;
  soon_.erase(last);
}

std::vector<std::string> Deadlines::due(std::int64_t now, std::size_t count) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  while (keys.size() < count && !soon_.empty() && soon_.begin()->first <= now) {
    keys.push_back(std::move(soon_.begin()->second));
    soon_.erase(soon_.begin());
  }
  return keys;
}

std::optional<std::int64_t> Deadlines::next() const {
  const std::lock_guard lock(mutex_);
  if (!soon_.empty()) return soon_.begin()->first;
  if (horizon_ != INT64_MAX) return horizon_;
  return std::nullopt;
}

bool Deadlines::walk_is_due(std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (horizon_ > now) return false;
  horizon_ = INT64_MAX;
  return true;
}

Sweeper::Sweeper(const omnistore_host &host, const Tree &tree, const Ignore &ignore, Leftovers &leftovers,
                 Expire expire)
    : host_(host), tree_(tree), ignore_(ignore), leftovers_(leftovers), expire_(std::move(expire)) {}

void Sweeper::start() { run_at(now() + shortest_wait); }

void Sweeper::schedule(std::int64_t expiry, std::string_view key) {
  deadlines_.add(expiry, key);
  run_at(std::max(expiry, now() + shortest_wait));
}

/// Makes the host run the task at `due` or a little later.
void Sweeper::run_at(std::int64_t due) {
  const std::lock_guard lock(mutex_);
  if (!tasks_.empty() && *tasks_.begin() <= due + shortest_wait) return;
  const std::int64_t moment = now(), delay = std::max<std::int64_t>(due - moment, 0);
  if (host_.submit(&host_, &Sweeper::task, this, static_cast<std::uint64_t>(delay), 0) == OMNISTORE_OK) {
    tasks_.insert(moment + delay);
  }
}

void OMNISTORE_CALL Sweeper::task(void *self, omnistore_call *call) noexcept {
  Sweeper &sweeper = *static_cast<Sweeper *>(self);
  try {
    sweeper.run(*call);
  } catch (const std::exception &error) {
    sweeper.warn(error.what());
  }
}

void Sweeper::run(const omnistore_call &call) {
  bool busy = false;
  try {
    busy = work(call);
  } catch (const std::exception &error) { // the next run continues with the rest
    walk_.reset();
    warn(error.what());
  }
  const std::int64_t moment = now();
  const std::int64_t next = std::min(deadlines_.next().value_or(INT64_MAX), next_walk_);
  run_at(busy ? moment + pause_between : std::max(next, moment + shortest_wait));
}

void Sweeper::warn(const char *what) const noexcept {
  char line[512];
  const int size = std::snprintf(line, sizeof line, "removing expired values: %s", what);
  host_.log(&host_, OMNISTORE_LOG_WARN, {line, std::min(static_cast<std::size_t>(size), sizeof line - 1)});
}

/// Returns true if there is more to do at once.
bool Sweeper::work(const omnistore_call &call) {
  {
    const std::lock_guard lock(mutex_);
    if (!tasks_.empty()) tasks_.erase(tasks_.begin());
  }
  const auto until = std::chrono::steady_clock::now() + work_slice;
  const auto may_go_on = [&] { return call.remaining(&call) > 0 && std::chrono::steady_clock::now() < until; };
  bool busy = false;
  do {
    const std::vector<std::string> keys = deadlines_.due(now(), 64);
    std::string failed; // one log line for all of them
    for (const std::string &key : keys) {
      try {
        expire_(key);
      } catch (const std::exception &error) {
        failed = error.what();
      }
    }
    if (!failed.empty()) warn(failed.c_str());
    busy = !keys.empty();
  } while (busy && may_go_on());
  const bool cleans = leftovers_.work(may_go_on);
  go_on_walking(call, until);
  return busy || cleans || walk_;
}

void Sweeper::go_on_walking(const omnistore_call &call, std::chrono::steady_clock::time_point until) {
  if (walk_ && walk_->is_outdated()) {
    walk_.reset();
    next_walk_ = 0;
  }
  if (!walk_ && (deadlines_.walk_is_due(now()) || now() >= next_walk_)) {
    next_walk_ = now() + walk_interval;
    Walk::Options options;
    options.only_expiring = options.clean = true;
    walk_ = std::make_unique<Walk>(tree_, ignore_, std::move(options));
  }
  while (walk_ && call.remaining(&call) > 0 && std::chrono::steady_clock::now() < until) {
    const Walk::Step step = walk_->next();
    if (step == Walk::Step::end) return walk_.reset();
    if (step != Walk::Step::value || !walk_->status() || !(walk_->status()->st_mode & S_ISVTX)) continue;
    const std::int64_t expiry = walk_->life().value_or(Life()).expiry;
    if (expiry != 0 && expiry <= now())
      expire_(walk_->key());
    else if (expiry != 0)
      deadlines_.add(expiry, walk_->key());
  }
  if (walk_) walk_->pause();
}

} // namespace fs
