// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace omnistore::http {

/// Says until when a connection may wait for the next bytes. A transfer may take the idle time, and longer only while
/// it keeps a minimum rate, so that nobody holds a connection by sending or reading a byte now and then.
class Pace {
public:
  using Clock = std::chrono::steady_clock;

  explicit Pace(std::int64_t idle_ms) : idle_(idle_ms) {}

  bool is_late(Clock::time_point now) const { return now >= deadline_; }
  /// Returns how long the connection has been idle, if idle() was called last.
  Clock::duration idle_since(Clock::time_point now) const { return idle_ - (deadline_ - now); }

  /// Nothing is under way.
  void idle(Clock::time_point now) { deadline_ = now + idle_; }
  /// The connection waits for something other than bytes.
  void wait_until(Clock::time_point deadline) { deadline_ = deadline; }

  /// A transfer begins, in or out.
  void begin(Clock::time_point now) {
    began_ = now;
    bytes_ = 0;
  }
  void add(std::size_t bytes) { bytes_ += bytes; }
  /// Sets how many bytes the transfer has moved since it began.
  void set(std::size_t bytes) { bytes_ = bytes; }

  /// A request's head gets no more time by its bytes.
  void limit_head() { deadline_ = began_ + idle_; }
  void limit_transfer() { deadline_ = began_ + idle_ + std::chrono::milliseconds(bytes_ / slowest); }
  /// The bytes of a long value must not buy hours of silence either.
  void limit_long_value() {
    limit_transfer();
    deadline_ = std::min(deadline_, Clock::now() + idle_);
  }

  /// The connection stops reading until the store has taken what came. The client is not to blame for that time.
  void pause(Clock::time_point deadline) {
    paused_ = Clock::now();
    deadline_ = deadline;
  }
  void resume() {
    if (paused_ != Clock::time_point()) began_ += Clock::now() - paused_;
    paused_ = {};
  }
  void forget_pause() { paused_ = {}; }

private:
  static constexpr std::uint64_t slowest = 16; ///< bytes a millisecond

  const std::chrono::milliseconds idle_;
  Clock::time_point deadline_{}, began_{};
  Clock::time_point paused_{}; ///< since when; the epoch if it is not paused
  std::uint64_t bytes_ = 0;
};

} // namespace omnistore::http
