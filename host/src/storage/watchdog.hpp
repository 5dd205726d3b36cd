// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/in_flight.hpp"

namespace omnistore {

/// Looks on a thread of its own for calls into drivers that take too long. It logs a call that has run for 10 seconds,
/// with mount, driver and operation, and logs it again when it ends. If a driver says that it never blocks and is found
/// waiting for 50 ms, its calls move to the worker pool. The watchdog samples what base/in_flight.hpp knows, so the
/// calls pay nothing for it. It sleeps while no call begins. Time in which the host waits for a client counts for no
/// driver.
class Watchdog {
public:
  static constexpr std::chrono::milliseconds default_stuck{10'000}, blocking{50};

  /// Returns the process's own, which runs as long as somebody holds it.
  static std::shared_ptr<Watchdog> shared();
  ~Watchdog();
  Watchdog(const Watchdog &) = delete;
  Watchdog &operator=(const Watchdog &) = delete;

  /// Sets the time after which a call is logged. For tests, and for the program's config. Thread-safe.
  void set_stuck(std::chrono::milliseconds limit);

  /// A call that is under way.
  struct Running {
    std::string operation, mount, driver;
    std::chrono::steady_clock::duration age; ///< at most 50 ms too short
    bool waits_for_client;                   ///< a client that reads a value, or sends one
  };
  /// The calls under way whose label is one of these; of nested calls only the outermost. Thread-safe.
  std::vector<Running> running(const std::function<bool(const base::CallLabel &)> &of) const;

private:
  Watchdog();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore
