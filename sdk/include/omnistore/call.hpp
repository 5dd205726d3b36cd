// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <omnistore/driver.h>
#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

namespace omnistore {

/// One operation in progress (omnistore_call). It is as cheap to copy as a pointer, and valid on
/// the thread of the function that received it until that function returns.
class Call {
public:
  explicit Call(omnistore_call *call) noexcept : call_(call) {}

  /// Reports why the operation fails, and returns the status: `return call.fail(OMNISTORE_IO,
  /// "...");`. If a write was refused before it began, say so:
  /// `return call.fail(OMNISTORE_UNAVAILABLE, "...", omnistore::nothing_done);`.
  omnistore_status fail(omnistore_status status, std::string_view message,
                        FailureDetails details = {}) const {
    return fail(0, status, message, details);
  }
  /// The same for one item of a batch.
  omnistore_status fail(std::uint32_t item, omnistore_status status, std::string_view message,
                        FailureDetails details = {}) const {
    const omnistore_failure failure{sizeof failure,
                                    item,
                                    as_bytes(message),
                                    details.retry_after,
                                    details.nothing_done ? OMNISTORE_NOTHING_DONE : 0u,
                                    0};
    call_->fail(call_, &failure);
    return status;
  }
  /// Returns the milliseconds left: 0 if the deadline has passed or the caller has gone away,
  /// INT64_MAX without a deadline.
  std::int64_t remaining() const { return call_->remaining(call_); }
  /// Returns true if the caller has gone away.
  bool cancelled() const { return context().cancelled(&context()) != 0; }
  /// Returns the status of a call whose remaining() is 0:
  /// `throw Failure(call.late(), "no response in time");`.
  omnistore_status late() const { return cancelled() ? OMNISTORE_CANCELLED : OMNISTORE_TIMEOUT; }

  /// The client's W3C traceparent, to send on to a backend; empty if there is none.
  std::string_view trace() const noexcept { return as_view(context().trace); }
  /// The name of the user or token that made the request; empty if unknown.
  std::string_view identity() const noexcept { return as_view(context().identity); }
  /// OMNISTORE_PRIORITY_...
  std::uint32_t priority() const noexcept { return context().priority; }

  const omnistore_context &context() const noexcept { return *call_->context; }
  omnistore_call *raw() const noexcept { return call_; }

private:
  omnistore_call *call_;
};

/// Writes one line without secrets to the host's log; `level` is OMNISTORE_LOG_... On any thread.
inline void log_line(const omnistore_host &host, std::uint32_t level, std::string_view message) {
  host.log(&host, level, as_bytes(message));
}

/// Runs a background task once, after `delay` milliseconds (omnistore_host.submit). `flags` is
/// OMNISTORE_TASK_... or 0. Returns false if the store is closing or too many tasks wait. On any
/// thread.
inline bool submit(const omnistore_host &host, omnistore_task task, void *argument,
                   std::uint64_t delay = 0, std::uint32_t flags = 0) {
  return host.submit(&host, task, argument, delay, flags) == OMNISTORE_OK;
}

} // namespace omnistore
