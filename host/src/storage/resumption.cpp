// SPDX-License-Identifier: Apache-2.0
#include "storage/resumption.hpp"

#include <algorithm>
#include <utility>

namespace omnistore {

namespace {

constexpr std::size_t most_remembered = 4096; // events
constexpr std::size_t most_lingering = 1024;  // bases

} // namespace

bool lies_under(std::string_view key, std::string_view base) {
  return base.empty() || key == base || (key.size() > base.size() && key[base.size()] == ':' && key.starts_with(base));
}

// Numbers rise from one run of a host to the next, so that a watch that resumes after a restart gets a resync.
EventHistory::EventHistory()
    : sequence_(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count()) {}

void EventHistory::add(const std::shared_ptr<Record> &record) {
  record->event.sequence = ++sequence_;
  if (record->event.type == Event::Type::resync) {
    events_.clear(); // nobody can resume from before it
  } else if (resumable_ != 0) {
    events_.push_back(record);
    if (events_.size() > most_remembered) events_.pop_front();
  }
}

bool EventHistory::reaches(std::uint64_t after) const {
  if (resumable_ == 0) return false;
  return after == sequence_ || (!events_.empty() && events_.front()->event.sequence <= after + 1 && after < sequence_);
}

std::deque<SharedRecord> EventHistory::replay(std::string_view base, std::size_t most, std::uint64_t after) const {
  std::deque<SharedRecord> records;
  std::uint64_t missed = 0;
  for (const SharedRecord &record : events_) {
    if (record->event.sequence <= after || !lies_under(record->event.key, base)) continue;
    records.push_back(record);
    if (records.size() <= most) continue;
    records.pop_front();
    ++missed;
  }
  if (missed == 0) return records;
  records.push_front(std::make_shared<Record>(
      Event{Event::Type::resync, Event::Cause::none, {}, records.front()->event.sequence - 1, missed}));
  return records;
}

void EventHistory::forget() {
  ++sequence_;
  events_.clear();
}

void EventHistory::stop() {
  events_.clear();
  resumable_ = 0;
}

LingeringBases::Bases::iterator LingeringBases::drop(Bases::iterator base, std::vector<std::string> &ended) {
  ended.push_back(base->first);
  return bases_.erase(base);
}

bool LingeringBases::add(const std::string &base, Clock::time_point until, std::vector<std::string> &ended) {
  bases_.emplace(base, until);
  if (bases_.size() <= most_lingering) return false;
  drop(std::min_element(bases_.begin(), bases_.end(), [](const auto &a, const auto &b) { return a.second < b.second; }),
       ended);
  return true;
}

void LingeringBases::retire(const std::string &successor, std::vector<std::string> &ended) {
  const auto drop_range = [&](auto from, auto to) {
    while (from != to) from = drop(from, ended);
  };
  if (successor.empty()) return drop_range(bases_.begin(), bases_.end());
  drop_range(bases_.lower_bound(successor), bases_.upper_bound(successor));
  // ';' is the character after ':'.
  drop_range(bases_.lower_bound(successor + ':'), bases_.lower_bound(successor + ';'));
}

std::optional<LingeringBases::Clock::time_point> LingeringBases::expire(Clock::time_point now,
                                                                        std::vector<std::string> &ended) {
  std::optional<Clock::time_point> next;
  for (auto base = bases_.begin(); base != bases_.end();) {
    if (base->second <= now) {
      base = drop(base, ended);
      continue;
    }
    next = std::min(next.value_or(base->second), base->second);
    ++base;
  }
  return next;
}

} // namespace omnistore
