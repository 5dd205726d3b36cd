// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fs {

/// Values that other programs are writing and have not closed. Each is reported anyway after a while. Not thread-safe.
class OpenFiles {
public:
  using Clock = std::chrono::steady_clock;

  void note(const std::string &path) {
    const Clock::time_point due = Clock::now() + patience;
    if (open_.try_emplace(path, due).second) order_.emplace_back(due, path);
  }
  /// Returns false if the file was not open.
  bool close(const std::string &path) { return open_.erase(path) > 0; }
  void forget() {
    open_.clear();
    order_.clear();
  }
  /// Returns when the next file is due, or nothing.
  std::optional<Clock::time_point> next() const {
    return order_.empty() ? std::nullopt : std::optional(order_.front().first);
  }
  /// Returns a file that was open for long enough, or the oldest one if there are too many, and forgets it.
  std::optional<std::string> take_due() {
    while (!order_.empty() && (order_.size() > most || order_.front().first <= Clock::now())) {
      auto [due, path] = std::move(order_.front());
      order_.pop_front();
      const auto found = open_.find(path);
      if (found == open_.end() || found->second != due) continue; // it was closed meanwhile
      open_.erase(found);
      return std::move(path);
    }
    return std::nullopt;
  }

private:
  static constexpr std::chrono::seconds patience{1};
  static constexpr std::size_t most = 4096;

  /// With the time at which each is due. `order_` has the same in the order of time, and also files that were closed
  /// since.
  std::map<std::string, Clock::time_point, std::less<>> open_;
  std::deque<std::pair<Clock::time_point, std::string>> order_;
};

} // namespace fs
