// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include <omnistore/driver.h>

namespace omnistore {

/// What can be said of a failure besides its status and message.
struct FailureDetails {
  bool nothing_done = false;    ///< the operation changed nothing and will change nothing
  std::int64_t retry_after = 0; ///< milliseconds after which a retry may work; 0: not known
};

/// The details of a write that a driver refused before it began.
inline constexpr FailureDetails nothing_done{true, 0};

/// What a failure says besides its message.
constexpr FailureDetails details_of(const omnistore_failure &failure) noexcept {
  FailureDetails details;
  if (OMNISTORE_HAS(omnistore_failure, &failure, retry_after)) details.retry_after = failure.retry_after;
  if (OMNISTORE_HAS(omnistore_failure, &failure, flags))
    details.nothing_done = (failure.flags & OMNISTORE_NOTHING_DONE) != 0;
  return details;
}

/// What a driver throws to fail an operation: the border turns it into its status and message. The message is the cause
/// in the backend's own words, without the key, the operation and a full stop; it holds no secret.
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

/// Runs the later steps of an operation, when an earlier one has changed something: a Failure of theirs does not say
/// that nothing was done.
template <class F>
decltype(auto) partly_done(F run) {
  try {
    return run();
  } catch (const Failure &failure) {
    throw Failure(failure.status(), failure.what(), {false, failure.details().retry_after});
  }
}

} // namespace omnistore
