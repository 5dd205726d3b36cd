// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <omnistore/driver.h>
#include <omnistore/value.hpp>

namespace omnistore {

/// One operation on its way: omnistore_call. As cheap to copy as a pointer; valid until the function that was given it
/// returns, and on that function's thread.
class Call {
public:
  explicit Call(omnistore_call *call) noexcept : call_(call) {}

  /// Says why the operation fails, and returns the status: `return call.fail(OMNISTORE_IO, "...");`.
  omnistore_status fail(omnistore_status status, std::string_view message) const { return fail(0, status, message); }
  /// The same for one item of a batch.
  omnistore_status fail(std::uint32_t item, omnistore_status status, std::string_view message) const {
    call_->fail(call_, item, as_bytes(message));
    return status;
  }
  /// Milliseconds left: 0 when the deadline has passed or the caller has gone away, INT64_MAX without a deadline.
  std::int64_t remaining() const { return call_->remaining(call_); }
  omnistore_call *raw() const noexcept { return call_; }

private:
  omnistore_call *call_;
};

/// Writes one line to the host's log; `level` is OMNISTORE_LOG_... No secrets. On any thread.
inline void log_line(const omnistore_host &host, std::uint32_t level, std::string_view message) {
  host.log(&host, level, as_bytes(message));
}

} // namespace omnistore
