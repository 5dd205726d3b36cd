// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace overlay {

/// Which values of the lowest layer may be unstorage's marker: those of its length. To look at all sizes in a listing
/// costs more than the listing; so it is done once a minute for each base, and the values that were found are looked at
/// each time. (A marker in the lowest layer hides nothing below, and no known program writes one there; it only is no
/// value.) Thread-safe.
class MarkerCandidates {
public:
  /// Whether the sizes of all values under a base were looked at lately.
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
