// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace omnistore::kit {

/// One operation of a thread on a key: the times of its call and its return, and its result.
struct Event {
  enum Kind { set, remove, set_if_absent, set_if_present, get };
  Kind kind;
  unsigned value; ///< written or read; 0 for no value
  bool done;      ///< false if a write did not take place
  std::int64_t called, returned;
};

/// Operations on one key by many threads. They are linearizable if there is an order in which each takes effect at one
/// moment between its call and its return (Herlihy and Wing, "Linearizability", 1990). The search is that of Wing and
/// Gong, with Lowe's memory of visited states. Each thread records its own History, and add() joins them.
class History {
public:
  /// Runs a write and records it. `run` returns false if it did not take place, because its condition did not hold or
  /// there was nothing to remove.
  template <class F>
  void record(Event::Kind kind, unsigned value, F run) {
    const std::int64_t called = now();
    const bool done = run();
    events_.push_back({kind, value, done, called, now()});
  }
  /// Runs a get and records it. `run` returns the value's number, or 0 if there is no value.
  template <class F>
  void record_get(F run) {
    const std::int64_t called = now();
    const unsigned value = run();
    events_.push_back({Event::get, value, true, called, now()});
  }
  void add(const History &part) { events_.insert(events_.end(), part.events_.begin(), part.events_.end()); }

  /// Returns an empty text if the history is linearizable, else the operations, one on each line. It takes at most 62
  /// operations, on a key that had no value before.
  std::string explain_violation() const;

private:
  std::vector<Event> events_;
  static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
};

} // namespace omnistore::kit
