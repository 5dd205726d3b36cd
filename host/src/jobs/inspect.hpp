// SPDX-License-Identifier: Apache-2.0
// Shows people the contents of a storage: the first keys at once, and then the number of all keys.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// Lists one page of keys: Storage::list() of a base, or the same on a running host. Throws Error.
using ListPage = std::function<Page(const ListOptions &)>;

struct InspectOptions {
  std::uint64_t limit = 20; ///< the number of keys to show
  std::string cursor;       ///< where an earlier walk stopped; empty at the start
  bool count = true;        ///< count the keys that are not shown
};

/// Receives the keys. Its functions may throw, which ends the walk.
class InspectSink {
public:
  virtual ~InspectSink() = default;
  /// Called before the first key. `count` is the number of keys from here on, if it is known so early.
  virtual void head(std::optional<std::uint64_t> count) = 0;
  virtual void key(const Page::Item &item) = 0;
};

struct Inspected {
  std::uint64_t shown = 0;
  std::optional<std::uint64_t> more; ///< the keys after those shown; nullopt if they were not counted
  std::string cursor;                ///< where the next walk starts; empty at the end
};

/// Shows the first keys and counts the others. It holds one page of keys in memory, however many there are. It shows
/// the first key after it has read a page or two, so that the head has a count only if about a thousand keys are left.
Inspected inspect(const ListPage &list, const InspectOptions &options, InspectSink &sink);

/// Calls `each` with every key, and with its meta if `meta` is set, a page at a time.
void walk(const ListPage &list, bool meta, const std::function<void(const Page::Item &)> &each);

} // namespace omnistore::jobs
