// SPDX-License-Identifier: Apache-2.0
#include "fetching/refresher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace cache {

using omnistore::Call;

namespace {

constexpr std::int64_t first_rest = 1'000, longest_rest = 60'000; // after a refresh that failed, milliseconds
constexpr std::size_t max_failing = 10'000;

} // namespace

Refresher::Refresher(const omnistore_host &host, std::size_t most, QuietLog &log, Refresh refresh)
    : host_(host), log_(log), refresh_(std::move(refresh)),
      workers_(most, [this](Call call, const std::string &key) { run(call, key); }) {}

void Refresher::submit(std::string_view key) {
  {
    const std::lock_guard lock(mutex_);
    if (refreshing_.contains(key)) return;
    if (!failing_.empty())
      if (const auto found = failing_.find(std::string(key)); found != failing_.end() && now() < found->second.until)
        return;
    refreshing_.emplace(key);
  }
  if (workers_.submit(std::string(key))) return;
  const std::lock_guard lock(mutex_);
  refreshing_.erase(refreshing_.find(key));
}

void Refresher::run(Call call, const std::string &key) {
  try {
    refresh_(call, key);
  } catch (const std::exception &error) {
    note_failure(key, error.what());
  }
  const std::lock_guard lock(mutex_);
  refreshing_.erase(key);
}

void Refresher::note_failure(const std::string &key, const std::string &message) {
  ++failures_;
  {
    const std::lock_guard lock(mutex_);
    if (failing_.size() >= max_failing) failing_.clear();
    Backoff &failing = failing_.try_emplace(key, Backoff{0, first_rest / 2}).first->second;
    failing.pause = std::min(failing.pause * 2, longest_rest);
    failing.until = now() + failing.pause;
  }
  log_.warn("a refresh failed; the stale copy stays: " + message);
}

void Refresher::note_success(const std::string &key) {
  const std::lock_guard lock(mutex_);
  failing_.erase(key);
}

bool Refresher::is_refreshing(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  return refreshing_.contains(key);
}

bool Refresher::is_delayed(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = failing_.find(std::string(key));
  return found != failing_.end() && now() < found->second.until;
}

std::size_t Refresher::running() const {
  const std::lock_guard lock(mutex_);
  return refreshing_.size();
}

} // namespace cache
