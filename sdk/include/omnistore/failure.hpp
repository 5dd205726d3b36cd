// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include <omnistore/driver.h>

namespace omnistore {

/// The details of a failure besides its status and message.
struct FailureDetails {
  bool nothing_done = false;    ///< the operation changed nothing and will change nothing
  std::int64_t retry_after = 0; ///< milliseconds after which a retry may work; 0 if unknown
};

/// The details of a write that a driver refused before it began.
inline constexpr FailureDetails nothing_done{true, 0};

/// Returns the details of a failure that was reported to a call.
constexpr FailureDetails details_of(const omnistore_failure &failure) noexcept {
  FailureDetails details;
  if (OMNISTORE_HAS(omnistore_failure, &failure, retry_after))
    details.retry_after = failure.retry_after;
  if (OMNISTORE_HAS(omnistore_failure, &failure, flags))
    details.nothing_done = (failure.flags & OMNISTORE_NOTHING_DONE) != 0;
  return details;
}

/// A driver throws this to fail an operation. The function of the C table that called the driver
/// turns it into its status and message. The message is the cause in the backend's own words,
/// without the key, the operation, a full stop and secrets.
class Failure : public std::runtime_error {
public:
  Failure(omnistore_status status, const std::string &message, FailureDetails details = {})
      : std::runtime_error(message), status_(status), details_(details) {}
  omnistore_status status() const noexcept { return status_; }
  const FailureDetails &details() const noexcept { return details_; }

private:
  omnistore_status status_;
  FailureDetails details_;
};

/// Runs the later steps of an operation after an earlier step has changed something: a Failure that
/// they throw loses its `nothing_done`.
template <class F>
decltype(auto) partly_done(F run) {
  try {
    return run();
  } catch (const Failure &failure) {
    throw Failure(failure.status(), failure.what(), {false, failure.details().retry_after});
  }
}

} // namespace omnistore
