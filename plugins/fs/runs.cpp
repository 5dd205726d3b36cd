// SPDX-License-Identifier: Apache-2.0
#include "runs.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace fs {

namespace {
constexpr std::size_t digits = 16, most_runs = 16, most_names = std::size_t(4) << 20;
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
    throw omnistore::Failure(OMNISTORE_INVALID, "the cursor is none that this store gave");
  }
  cursor.key = text.substr(digits);
  return cursor;
}

std::unique_ptr<Walk> Runs::take(const Cursor &cursor, std::string_view base, std::uint32_t depth) {
  const std::lock_guard lock(mutex_);
  const auto run = std::find_if(runs_.begin(), runs_.end(), [&](const Run &r) { return r.number == cursor.run; });
  if (run == runs_.end()) return nullptr;
  const Walk &walk = *run->walk;
  const bool fits = walk.key() == cursor.key && walk.options().base == base && walk.options().depth == depth &&
                    Clock::now() - run->begun < longest;
  names_ -= walk.held();
  std::unique_ptr<Walk> taken = fits ? std::move(run->walk) : nullptr;
  runs_.erase(run);
  return taken;
}

std::uint64_t Runs::keep(std::unique_ptr<Walk> walk) {
  walk->pause();
  const std::lock_guard lock(mutex_);
  names_ += walk->held();
  runs_.push_back({next_, walk->begun(), std::move(walk)});
  while (runs_.size() > most_runs || (names_ > most_names && runs_.size() > 1)) {
    names_ -= runs_.front().walk->held();
    runs_.pop_front();
  }
  return next_++;
}

} // namespace fs
