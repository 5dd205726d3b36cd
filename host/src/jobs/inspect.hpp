// SPDX-License-Identifier: Apache-2.0
// A walk over what a storage holds, for people: the first keys at once, then how many there are.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// One page of the keys that are looked at: a Storage's list() of a base, or a running host's. Throws Error.
using ListPage = std::function<Page(const ListOptions &)>;

struct InspectOptions {
  std::uint64_t limit = 20; ///< keys that are shown
  std::string cursor;       ///< where an earlier walk stopped; empty: from the start
  bool count = true;        ///< the rest is counted
};

/// Who is told. Its functions may throw, which ends the walk.
class InspectSink {
public:
  virtual ~InspectSink() = default;
  /// Before the first key. `count`: how many keys there are from here on, where that is known so early.
  virtual void head(std::optional<std::uint64_t> count) = 0;
  virtual void key(const Page::Item &item) = 0;
};

struct Inspected {
  std::uint64_t shown = 0;
  std::optional<std::uint64_t> more; ///< keys behind those that were shown; nullopt: some, not counted
  std::string cursor;                ///< where the next walk goes on; empty: that was all
};

/// Shows the first keys, and counts the others. Memory holds a page of them, however many there are. The first key is
/// told when a page or two were read, so that the head has the count only of a thousand keys or so behind the shown.
Inspected inspect(const ListPage &list, const InspectOptions &options, InspectSink &sink);

/// Calls `each` with every key, and its meta where that is asked for; a page at a time.
void walk(const ListPage &list, bool meta, const std::function<void(const Page::Item &)> &each);

} // namespace omnistore::jobs
