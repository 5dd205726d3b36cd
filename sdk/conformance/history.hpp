// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace omnistore::kit {

/// What one thread did to a key: when it called, when that returned, and what it gave.
struct Event {
  enum Kind { set, remove, set_if_absent, set_if_present, get };
  Kind kind;
  unsigned value; ///< written or read; 0: no value
  bool took;      ///< whether a write was done
  std::int64_t called, returned;
};

/// Operations on one key by many threads, and whether they can be explained by an order in which each takes effect at
/// one moment between its call and its return (Herlihy and Wing, "Linearizability", 1990; the search is Wing and
/// Gong's, with Lowe's memory of states seen). One for each thread, then added up.
class History {
public:
  /// Runs a write and records it. `run` returns whether it was done; a condition that did not hold, or a removal of
  /// nothing, was not.
  template <class F>
  void record(Event::Kind kind, unsigned value, F run) {
    const std::int64_t called = now();
    const bool took = run();
    events_.push_back({kind, value, took, called, now()});
  }
  /// Runs a get and records it. `run` returns the value's number, 0 where there is none.
  template <class F>
  void record_get(F run) {
    const std::int64_t called = now();
    const unsigned value = run();
    events_.push_back({Event::get, value, true, called, now()});
  }
  void add(const History &part) { events_.insert(events_.end(), part.events_.begin(), part.events_.end()); }

  /// Empty where there is such an order; else the operations, one a line. At most 62 of them; the key had no value
  /// before.
  std::string judge() const;

private:
  std::vector<Event> events_;
  static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
};

} // namespace omnistore::kit
