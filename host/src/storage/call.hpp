// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/error.hpp>

namespace omnistore {

inline omnistore_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(omnistore_bytes bytes) {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}

/// The host's side of an omnistore_call: a deadline, and the messages that a driver gives. On the stack of the thread
/// that runs the operation. Costs no clock read where there is no deadline, and no allocation where nothing fails.
class HostCall : public omnistore_call {
  using Clock = std::chrono::steady_clock;

public:
  /// Without a deadline.
  HostCall() : HostCall(std::chrono::milliseconds(0)) {}
  explicit HostCall(std::chrono::milliseconds timeout, const std::atomic<bool> *cancelled = nullptr)
      : omnistore_call{sizeof(omnistore_call), 0, remaining_, fail_}, timeout_(timeout), cancelled_(cancelled) {
    renew();
  }
  /// Of the options of an operation.
  template <typename Options>
  requires requires(const Options &options) { options.cancelled; }
  explicit HostCall(const Options &options) : HostCall(options.timeout, options.cancelled) {}
  HostCall(const HostCall &) = delete;
  HostCall &operator=(const HostCall &) = delete;

  /// The time begins anew, as the operation got on.
  void renew() {
    if (timeout_.count() > 0) deadline_ = Clock::now() + timeout_;
  }

  /// The message for an item, or a phrase for the status where the driver gave none.
  std::string cause(omnistore_status status, std::uint32_t item = 0) const;

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call);
  static void OMNISTORE_CALL fail_(omnistore_call *call, std::uint32_t item, omnistore_bytes message) noexcept;

  const std::chrono::milliseconds timeout_;
  const std::atomic<bool> *const cancelled_;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::vector<std::pair<std::uint32_t, std::string>> messages_;
};

/// Locks the mutex, but waits no longer than the call has time: then the lock is not held, and the call has a message.
/// Without a call it waits for as long as it takes.
std::unique_lock<std::timed_mutex> lock_in_time(std::timed_mutex &mutex, omnistore_call *call);

/// Whether the caller's side of a running operation gave up: a Reader that wants no more of a value, or a Source that
/// cannot go on. The driver can only pass that on as a failure of its own, which must not be counted as one. A value
/// passes through its layers on one thread, so a flag of the thread reaches the counters of all of them.
class GivingUp {
public:
  GivingUp() : before_(gave_up_) { gave_up_ = false; }
  ~GivingUp() { gave_up_ = before_; }
  GivingUp(const GivingUp &) = delete;
  GivingUp &operator=(const GivingUp &) = delete;

  void give_up() { gave_up_ = true; }
  /// Of the innermost operation of this thread that has a Reader or Source.
  static bool gave_up() { return gave_up_; }

private:
  static inline constinit thread_local bool gave_up_ = false;
  const bool before_;
};

/// Gives the message to the call and returns the status.
omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message, std::uint32_t item = 0);

/// A driver's status as the host's: an unknown number is internal.
Status to_status(omnistore_status status) noexcept;

/// What a status means, for people: where a driver gave no message.
std::string_view phrase(Status status) noexcept;

} // namespace omnistore
