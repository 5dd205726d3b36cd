// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <omnistore/storage.hpp>

#include "routes/guard.hpp"
#include "routes/request.hpp"

namespace omnistore::routes {

/// Responds to a POST to a base: many keys at once, each relative to the base, each with an outcome of its own. The
/// body:
///
///     {"set": [{"key": "a", "value": "text", "ttl": 60000}, {"key": "b", "base64": "/wA="}],
///      "get": ["a", "c"], "stat": ["a"], "remove": ["d", "e"]}
///
/// Any of the lists may be absent. They are done in the order in which they stand, with at most 10000 items in all. A
/// ttl is in milliseconds, or a text such as "5m". The response has the same order:
///
///     {"set": [{"key": "a", "status": 200}, ...],
///      "get": [{"key": "a", "status": 200, "value": "text", "meta": {"size", "mtime", "expiry", "etag"}},
///              {"key": "c", "status": 404, "message": "..."}],
///      "stat": [{"key": "a", "status": 200, "meta": {...}}],
///      "remove": [{"key": "d", "status": 200}, {"key": "e", "status": 200, "found": false}]}
///
/// A status is the one that a request for that key alone would have; bytes that are no UTF-8 come as "base64" in place
/// of "value". A batch returns at most `most` bytes of values: an item that does not fit has 413, and needs a request
/// of its own.
///
/// Throws Error(invalid), before anything is done, if the body is not of this form.
void respond_to_batch(Storage &storage, const Guard &guard, std::uint64_t most, const Request &request,
                      Response &response);

} // namespace omnistore::routes
