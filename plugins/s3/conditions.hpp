// SPDX-License-Identifier: Apache-2.0
// Conditions of writes. Some servers ignore them, so each kind is tried out before it is relied on.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"

namespace s3 {

/// Any thread.
class Conditions {
public:
  enum Kind : unsigned {
    creates = 1, ///< If-None-Match of a PUT
    matches = 2, ///< If-Match of a PUT and of a DELETE
    uploads = 4, ///< If-None-Match at the end of an upload in parts
  };

  explicit Conditions(Bucket &bucket) : bucket_(bucket) {}

  /// Returns the headers of a conditional write. Throws Failure(OMNISTORE_UNSUPPORTED) if the server ignores them.
  Pairs headers_of(omnistore::Call call, std::uint32_t condition, std::string_view etag);

  /// Returns if the server has shown that it keeps conditions of this kind: the first call sends writes whose
  /// conditions do not hold, to an object of its own. Throws Failure(OMNISTORE_UNSUPPORTED) if it keeps them not.
  void need(omnistore::Call call, Kind kind);

private:
  void try_out(omnistore::Call call, Kind kind, const std::string &name);
  /// Throws Failure(OMNISTORE_UNSUPPORTED) unless the server refuses the request for its condition.
  void must_refuse(omnistore::Call call, const Request &request, const char *condition);

  Bucket &bucket_;
  std::atomic<unsigned> shown_ = 0;
};

/// Removes an object, or ends an upload, after a failure, when the time of the request's own call may be up. A failure
/// is logged with `what` before it.
void clean_up(Bucket &bucket, omnistore::Call call, const Request &request, const std::string &what) noexcept;

} // namespace s3
