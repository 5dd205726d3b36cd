// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace overlay {

/// The values of the lowest layer that may be unstorage's marker, because they have its length. A listing that reads
/// all sizes costs more than one of keys alone. So the sizes are read once a minute for each base, and a listing then
/// checks only the values that were found. (A marker in the lowest layer hides nothing, and no known program writes one
/// there; it is only not a value.) Thread-safe.
class MarkerCandidates {
public:
  /// Returns true if the sizes of all values under a base were read within the last minute.
  bool known(std::string_view base) const {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (const auto &[looked, when] : looked_)
      if (base.starts_with(looked) && now - when < lately) return true;
    return false;
  }
  void looked_at(const std::string &base) {
    const std::lock_guard lock(mutex_);
    if (looked_.size() >= max_bases) looked_.clear();
    looked_.insert_or_assign(base, Clock::now());
  }
  bool has(std::string_view key) const {
    const std::lock_guard lock(mutex_);
    return !keys_.empty() && keys_.contains(key);
  }
  void put(std::string_view key, bool may_be) {
    const std::lock_guard lock(mutex_);
    if (may_be)
      keys_.emplace(key);
    else if (const auto at = keys_.find(key); at != keys_.end())
      keys_.erase(at);
  }

private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes lately{1};
  static constexpr std::size_t max_bases = 64;

  mutable std::mutex mutex_;
  std::map<std::string, Clock::time_point> looked_;
  std::set<std::string, std::less<>> keys_;
};

} // namespace overlay
