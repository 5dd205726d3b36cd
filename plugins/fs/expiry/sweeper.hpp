// SPDX-License-Identifier: Apache-2.0
// Removes expired values from the disk in the background. Values that this store has set are removed when they are due.
// Other values are found by walks over the folders with expiring values: one walk after open, then one each hour.
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

/// The next expiries with their keys: the soonest `limit` of them. For later ones it knows only when the first is due:
/// at that time the folders must be walked again. Thread-safe.
class Deadlines {
public:
  explicit Deadlines(std::size_t limit = 65536) : limit_(limit) {}

  void add(std::int64_t expiry, std::string_view key);
  /// Removes and returns up to `count` keys that are due. They may have been set again since.
  std::vector<std::string> due(std::int64_t now, std::size_t count);
  /// Returns the time of the next work; nullopt: never.
  std::optional<std::int64_t> next() const;
  /// Returns true, once, if an expiry has passed whose key was not stored. The caller then walks the folders.
  bool walk_is_due(std::int64_t now);

private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::multimap<std::int64_t, std::string> soon_;
  std::int64_t horizon_ = INT64_MAX; ///< the first expiry whose key was not stored
};

/// Works on the host's threads, for a third of the time at most. Thread-safe.
class Sweeper {
public:
  /// Removes the key's value if it has expired.
  using Expire = std::function<void(std::string_view key)>;

  /// It also continues the work on `leftovers`, which must outlive it.
  Sweeper(const omnistore_host &host, const Tree &tree, const Ignore &ignore, Leftovers &leftovers, Expire expire);

  /// Begins with a walk. The object must not move from now on.
  void start();
  /// Continues at once with the leftovers of hosts that were killed.
  void clean() { run_at(now()); }
  /// Notes when a value expires.
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
  std::multiset<std::int64_t> tasks_; ///< when the submitted tasks begin

  // Only the running task uses these. The host runs one task of a store at a time.
  std::unique_ptr<Walk> walk_; ///< of a walk that is under way
  std::int64_t next_walk_ = 0;
};

} // namespace fs
