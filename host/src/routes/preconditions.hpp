// SPDX-License-Identifier: Apache-2.0
// The conditions of RFC 9110 section 13: If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range.
#pragma once

#include <cstdint>
#include <optional>

#include <omnistore/storage.hpp>

#include "http/header_values.hpp"
#include "routes/request.hpp"

namespace omnistore::routes {

/// The conditions of a request. It leaves out those that a server must ignore by the RFC: If-Unmodified-Since beside
/// If-Match, and If-Modified-Since beside If-None-Match, with a malformed date, or for a method other than GET and
/// HEAD.
struct Preconditions {
  std::optional<http::EtagList> match, none_match;
  std::optional<std::int64_t> unmodified_since, modified_since; ///< Unix seconds

  /// Throws Error(invalid) if a list of etags, or the date of If-Unmodified-Since, is malformed. The RFC would ignore
  /// such a date, but then a write would go ahead that its client wanted checked.
  explicit Preconditions(const Request &request);

  bool any() const { return match || none_match || unmodified_since || modified_since; }

  enum class Outcome { hold, failed, unchanged };
  /// Judges them in the order of section 13.2.2 for the present value. `unchanged` is 304, only for reads. Throws
  /// Error(unsupported) if a condition has a date and the store keeps none.
  Outcome judge(const std::optional<Meta> &now, bool read) const;
};

/// Responds to a read whose conditions do not hold: 412, or 304 if the client has this value already. Returns false if
/// they hold.
bool respond_if_not_met(const Request &request, Response &response, const Meta &now);

/// The conditions of a write in the form in which Storage keeps them while it writes.
struct WriteCondition {
  bool failed = false; ///< they do not hold
  bool pinned = false; ///< the condition stands for the value that was looked up; if it fails, look again
  Condition condition;
};
/// Costs a look at the value if the conditions are more than one etag or "*". Throws Error(invalid), and
/// Error(unsupported) if the store has no etag or date to keep them with.
WriteCondition write_condition(const Storage &storage, const Request &request);

/// Returns the range to send, in numbers from the value's start, or nullopt for the whole value, since If-Range names
/// another one, the size is not known, or the value is empty and the range is a suffix.
std::optional<http::ByteRange> settled_range(http::ByteRange range, const Request &request, const Meta &meta);

/// For a request whose subject has no etag and no date: a base, its events, a batch, a page of the admin listener.
/// Refuses conditions that cannot be kept there. Returns false if `response` holds the refusal.
bool admit_conditions(const Request &request, Response &response, bool write);

/// Responds with 412.
void condition_failed(const Request &request, Response &response);

} // namespace omnistore::routes
