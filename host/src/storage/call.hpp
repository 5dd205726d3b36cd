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
#include <omnistore/known.hpp>
#include <omnistore/storage.hpp>

namespace omnistore {

inline omnistore_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(omnistore_bytes bytes) {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}

/// The host's side of an omnistore_call: a deadline, the caller, and the driver's messages about its failures. On the
/// stack of the thread that runs the operation. Costs no clock read if there is no deadline, and no allocation if
/// nothing fails.
class HostCall : public omnistore_call {
  using Clock = std::chrono::steady_clock;

public:
  /// Without a deadline.
  HostCall() : HostCall(std::chrono::milliseconds(0)) {}
  explicit HostCall(std::chrono::milliseconds timeout, const std::atomic<bool> *cancelled = nullptr,
                    const Caller *caller = nullptr)
      : omnistore_call{sizeof(omnistore_call), 0, &nobody, remaining_, fail_}, timeout_(timeout),
        cancelled_(cancelled) {
    if (cancelled || caller) name(caller);
    renew();
  }
  /// With the deadline and the caller of an operation's options.
  template <typename Options>
  requires requires(const Options &options) { options.cancelled; }
  explicit HostCall(const Options &options) : HostCall(options.timeout, options.cancelled, options.caller) {}
  HostCall(const HostCall &) = delete;
  HostCall &operator=(const HostCall &) = delete;

  /// Restarts the time, because the operation made progress.
  void renew() {
    if (timeout_.count() > 0) deadline_ = Clock::now() + timeout_;
  }

  /// The message for an item, or a phrase for the status if the driver gave none.
  std::string cause(omnistore_status status, std::uint32_t item = 0) const;
  /// Returns after how long a retry of the item may work; 0 if that is unknown.
  std::chrono::milliseconds retry_after(std::uint32_t item = 0) const;
  /// Returns true if the driver said that the item changed nothing.
  bool nothing_done(std::uint32_t item = 0) const;

  /// The context of operations without a known caller.
  static const omnistore_context nobody;

private:
  struct Context : omnistore_context {
    const std::atomic<bool> *cancelled;
  };
  struct Said {
    std::uint32_t item;
    std::string message;
    std::int64_t retry_after = 0;
    bool nothing_done = false;
  };
  void name(const Caller *caller);
  const Said *said(std::uint32_t item) const;
  static std::uint32_t OMNISTORE_CALL cancelled_by(const omnistore_context *context);
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call);
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) noexcept;

  const std::chrono::milliseconds timeout_;
  const std::atomic<bool> *const cancelled_;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::vector<Said> said_;
  Context context_; // not set for nobody
};

/// Returns true if the text is a W3C traceparent (https://www.w3.org/TR/trace-context), 55 bytes in lower case.
bool is_traceparent(std::string_view text);

/// Locks a timed mutex, but waits no longer than the call has time: then the lock is not held, and the call has a
/// message. Without a call it waits for as long as it takes.
template <class Mutex>
std::unique_lock<Mutex> lock_in_time(Mutex &mutex, omnistore_call *call);

/// Notes that the caller's side of a running operation stopped it: a Reader that wants no more of a value, or a Source
/// that cannot continue. The driver can only pass that on as a failure of its own, which must not be counted as one. A
/// value passes through its layers on one thread, so a flag of the thread reaches the counters of all of them.
class GivingUp {
public:
  GivingUp() : before_(gave_up_) { gave_up_ = false; }
  ~GivingUp() { gave_up_ = before_; }
  GivingUp(const GivingUp &) = delete;
  GivingUp &operator=(const GivingUp &) = delete;

  void give_up() { gave_up_ = true; }
  /// Returns the note of the innermost operation of this thread that has a Reader or Source.
  static bool gave_up() { return gave_up_; }

private:
  static inline constinit thread_local bool gave_up_ = false;
  const bool before_;
};

/// Gives the message to the call and returns the status. `flags`: OMNISTORE_NOTHING_DONE.
omnistore_status fail(omnistore_call *call, omnistore_status status, std::string_view message, std::uint32_t item = 0,
                      std::uint32_t flags = 0);

/// The status of an operation whose time is up: cancelled if its caller went away, else timeout.
inline omnistore_status late(const omnistore_call *call) {
  return call->context->cancelled(call->context) ? OMNISTORE_CANCELLED : OMNISTORE_TIMEOUT;
}

/// A driver's status as the host's: an unknown number is internal.
Status to_status(omnistore_status status) noexcept;

/// The meaning of a status, for people: used if a driver gave no message.
std::string_view phrase(Status status) noexcept;

} // namespace omnistore
