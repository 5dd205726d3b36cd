// SPDX-License-Identifier: Apache-2.0
#include "jobs/inspect.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "jobs/endpoint.hpp"

namespace omnistore::jobs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t page_size = 1000;
constexpr std::uint64_t counted_page = 10'000;
constexpr std::chrono::milliseconds patience{20}; // before the first key is shown

/// Lists the pages from a cursor on, one after the other.
class Pages {
public:
  Pages(const ListPage &list, std::string cursor) : list_(&list), cursor_(std::move(cursor)) {}

  bool more() const { return !ended_; }
  const std::string &cursor() const { return cursor_; }
  /// Returns at most this many keys, possibly none although more follow.
  std::vector<Page::Item> next(std::uint64_t limit) {
    ListOptions how;
    how.caller = &background;
    how.limit = static_cast<std::uint32_t>(limit);
    how.cursor = cursor_;
    Page page = (*list_)(how);
    cursor_ = std::move(page.cursor);
    ended_ = cursor_.empty();
    return std::move(page.items);
  }

private:
  const ListPage *list_;
  std::string cursor_;
  bool ended_ = false;
};

} // namespace

Inspected inspect(const ListPage &list, const InspectOptions &options, InspectSink &sink) {
  const auto begun = Clock::now();
  const auto patient = [begun] { return Clock::now() - begun < patience; };

  Pages shown(list, options.cursor);
  const std::uint64_t first = std::min(options.limit, page_size);
  std::vector<Page::Item> items = shown.next(first);
  while (shown.more() && items.size() < first && (items.empty() || patient()))
    for (Page::Item &item : shown.next(first - items.size())) items.push_back(std::move(item));

  // One more page gives the number of all keys if there are few.
  Pages counted = shown;
  std::uint64_t behind = 0;
  const bool all_shown_are_here = items.size() == options.limit;
  while (options.count && all_shown_are_here && counted.more() && behind < page_size && patient())
    behind += counted.next(page_size).size();
  std::optional<std::uint64_t> known;
  if (!counted.more()) known = items.size() + behind;
  sink.head(known);

  Inspected result;
  for (;;) {
    for (const Page::Item &item : items) sink.key(item);
    result.shown += items.size();
    if (!shown.more() || result.shown == options.limit) break;
    items = shown.next(std::min(options.limit - result.shown, page_size));
  }
  if (!all_shown_are_here) counted = shown;
  while (options.count && counted.more()) behind += counted.next(counted_page).size();
  if (options.count || !shown.more()) result.more = behind;
  // A store may give a cursor although nothing follows.
  if (result.more != std::uint64_t{0}) result.cursor = shown.cursor();
  return result;
}

void walk(const ListPage &list, bool meta, const std::function<void(const Page::Item &)> &each) {
  ListOptions how;
  how.caller = &background;
  how.limit = static_cast<std::uint32_t>(page_size);
  how.meta = meta;
  do {
    Page page = list(how);
    for (const Page::Item &item : page.items) each(item);
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty());
}

} // namespace omnistore::jobs
