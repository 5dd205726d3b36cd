// SPDX-License-Identifier: Apache-2.0
// Removes what has expired from the disk, in the background: what this store has set when it is due, and what else lies
// there by walks over the folders that hold expiring values, one after open and then each hour.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.h>

#include "listing/walk.hpp"
#include "tree/owner.hpp"

namespace fs {

/// The expiries that come next, with their keys: at most `limit` of them, the soonest. Of later ones it is only known
/// that they exist, and when the first of them is due: by then the folders must be walked again. Thread-safe.
class Deadlines {
public:
  explicit Deadlines(std::size_t limit = 65536) : limit_(limit) {}

  void add(std::int64_t expiry, std::string_view key);
  /// Takes out up to `count` keys that are due; they may have been set anew since.
  std::vector<std::string> due(std::int64_t now, std::size_t count);
  /// When there is something to do next; nothing: never.
  std::optional<std::int64_t> next() const;
  /// Whether an expiry has passed of which the key was not kept. Asking takes it back: the asker walks the folders.
  bool walk_is_due(std::int64_t now);

private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::multimap<std::int64_t, std::string> soon_;
  std::int64_t horizon_ = INT64_MAX; ///< the first expiry that was not kept
};

/// It works for a third of the time at most, on the host's threads. Thread-safe.
class Sweeper {
public:
  /// Removes the key's value, if it has expired.
  using Expire = std::function<void(std::string_view key)>;

  /// `leftovers`, which it goes on with, must live as long.
  Sweeper(const omnistore_host &host, const Tree &tree, const Ignore &ignore, Leftovers &leftovers, Expire expire);

  /// Begins, with a walk. The object must stay where it is from now on.
  void start();
  /// Goes on at once with the leftovers of hosts that were killed.
  void clean() { run_at(now()); }
  /// Notes when a value ends.
  void schedule(std::int64_t expiry, std::string_view key);

private:
  std::int64_t now() const { return host_.now(&host_); }
  void run_at(std::int64_t due);
  void run(const omnistore_call &call);
  bool work(const omnistore_call &call);
  void warn(const char *what) const noexcept;
  void go_on_walking(const omnistore_call &call, std::chrono::steady_clock::time_point until);
  static void OMNISTORE_CALL task(void *self, omnistore_call *call) noexcept;

  const omnistore_host &host_;
  const Tree &tree_;
  const Ignore &ignore_;
  Leftovers &leftovers_;
  const Expire expire_;
  Deadlines deadlines_;

  std::mutex mutex_;
  std::multiset<std::int64_t> tasks_; ///< when those that were submitted begin

  // Only the running task uses these; the host runs one at a time.
  std::unique_ptr<Walk> walk_; ///< while one is under way
  std::int64_t next_walk_ = 0;
};

} // namespace fs
