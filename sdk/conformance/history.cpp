// SPDX-License-Identifier: Apache-2.0
#include "history.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

namespace omnistore::kit {
namespace {

/// Returns the value of the key after the operation, if the operation can have this result on the value `before`.
bool follows(const Event &event, unsigned before, unsigned &after) {
  after = before;
  switch (event.kind) {
  case Event::get:
    return event.value == before;
  case Event::set:
    after = event.value;
    return event.done;
  case Event::remove:
    if (event.done) after = 0;
    return event.done == (before != 0);
  case Event::set_if_absent:
    if (event.done) after = event.value;
    return event.done == (before == 0);
  case Event::set_if_present:
    if (event.done) after = event.value;
    return event.done == (before != 0);
  }
  return false;
}

class Search {
public:
  explicit Search(const std::vector<Event> &events) : events_(events) {}

  bool explain(std::uint64_t done, unsigned value) {
    if (done == (std::uint64_t(1) << events_.size()) - 1) return true;
    if (!seen_.emplace(done, value).second) return false;
    std::int64_t first = INT64_MAX; // a call after another has returned comes after it
    for (std::size_t i = 0; i < events_.size(); ++i)
      if (!(done >> i & 1)) first = std::min(first, events_[i].returned);
    for (std::size_t i = 0; i < events_.size(); ++i) {
      unsigned after = 0;
      if (done >> i & 1 || events_[i].called > first || !follows(events_[i], value, after)) continue;
      if (explain(done | std::uint64_t(1) << i, after)) return true;
    }
    return false;
  }

private:
  const std::vector<Event> &events_;
  std::set<std::pair<std::uint64_t, unsigned>> seen_;
};

} // namespace

std::string History::explain_violation() const {
  if (Search(events_).explain(0, 0)) return {};
  std::vector<Event> sorted = events_;
  std::sort(sorted.begin(), sorted.end(), [](const Event &a, const Event &b) { return a.called < b.called; });
  static constexpr const char *verbs[] = {"set", "remove", "set if absent", "set if present", "get"};
  std::string text;
  for (const Event &event : sorted) {
    char times[64];
    std::snprintf(times, sizeof times, "\n    %8.1f to %8.1f us  ",
                  static_cast<double>(event.called - sorted[0].called) / 1000,
                  static_cast<double>(event.returned - sorted[0].called) / 1000);
    text += times + std::string(verbs[event.kind]);
    if (event.kind == Event::get)
      text += event.value ? " gave " + std::to_string(event.value) : " gave nothing";
    else
      text += (event.value ? " " + std::to_string(event.value) : "") + (event.done ? "" : ": not done");
  }
  return text;
}

} // namespace omnistore::kit
