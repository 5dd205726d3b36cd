// SPDX-License-Identifier: Apache-2.0
#include "listing/paused.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace fs {

namespace {
constexpr std::size_t digits = 16, max_runs = 16, max_names = std::size_t(4) << 20;
constexpr std::chrono::seconds longest(10);
} // namespace

std::string write_cursor(std::uint64_t run, std::string_view key) {
  char number[digits + 1];
  std::snprintf(number, sizeof number, "%016llx", static_cast<unsigned long long>(run));
  return std::string(number, digits).append(key);
}

Cursor read_cursor(std::string_view text) {
  Cursor cursor{0, {}};
  const char *const end = text.data() + std::min(digits, text.size());
  const auto [stop, error] = std::from_chars(text.data(), end, cursor.run, 16);
  if (text.size() <= digits || error != std::errc() || stop != end) {
    throw omnistore::Failure(OMNISTORE_INVALID, "the cursor is not one of this store");
  }
  cursor.key = text.substr(digits);
  return cursor;
}

std::unique_ptr<Walk> PausedWalks::resume(const Cursor &cursor, const Walk::Options &options) {
  const std::lock_guard lock(mutex_);
  const auto run =
      std::find_if(paused_.begin(), paused_.end(), [&](const PausedWalk &r) { return r.number == cursor.run; });
  if (run == paused_.end()) return nullptr;
  const Walk &walk = *run->walk;
  Walk::Options own = walk.options();
  own.from = options.from; // its own beginning does not matter
  const bool fits = walk.key() == cursor.key && own == options && Clock::now() - run->begun < longest;
  names_ -= walk.held();
  std::unique_ptr<Walk> taken = fits ? std::move(run->walk) : nullptr;
  paused_.erase(run);
  return taken;
}

std::uint64_t PausedWalks::keep(std::unique_ptr<Walk> walk) {
  walk->pause();
  const std::lock_guard lock(mutex_);
  names_ += walk->held();
  paused_.push_back({next_, walk->begun(), std::move(walk)});
  while (paused_.size() > max_runs || (names_ > max_names && paused_.size() > 1)) {
    names_ -= paused_.front().walk->held();
    paused_.pop_front();
  }
  return next_++;
}

} // namespace fs
