// SPDX-License-Identifier: Apache-2.0
// A window holds the next keys of a listing, in the order of their bytes. Its pages are cut from the window.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace redis {

/// Sorted, without duplicates. It has all keys that the scan found between its first and its last one. If it is
/// `complete`, there are no keys after it.
struct Window {
  std::vector<std::string> keys;
  bool complete = true;
};

/// Makes a window from keys that arrive in any order, and more than once. It takes the smallest keys after `after`: as
/// many as fit into `budget` bytes, but at least one. It never holds more than twice the budget.
class Collector {
public:
  Collector(std::string_view after, std::size_t budget) : after_(after), budget_(budget) {}

  void add(std::string_view key) {
    if (key <= after_ || (last_ && key > *last_)) return;
    window_.keys.emplace_back(key);
    bytes_ += cost(key);
    if (bytes_ > 2 * budget_) tidy();
  }
  Window finish() {
    tidy();
    return std::move(window_);
  }

private:
  static std::size_t cost(std::string_view key) { return sizeof(std::string) + key.size() + 1; }

  void tidy() {
    auto &keys = window_.keys;
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    bytes_ = 0;
    std::size_t kept = 0;
    while (kept < keys.size() && (kept == 0 || bytes_ + cost(keys[kept]) <= budget_)) bytes_ += cost(keys[kept++]);
    if (kept == keys.size()) return;
    keys.resize(kept);
    last_ = keys.back();
    window_.complete = false;
  }

  const std::string after_;
  const std::size_t budget_;
  Window window_;
  std::size_t bytes_ = 0;
  std::optional<std::string> last_; ///< greater keys are not taken
};

} // namespace redis
