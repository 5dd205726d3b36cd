// SPDX-License-Identifier: Apache-2.0
// Writes: a PUT, or an upload in parts for a stream that is longer than one part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"
#include "conditions.hpp"

namespace s3 {

/// Returns the size of a part of an upload, by its number from 0. An upload has at most 10,000 parts, so a long one of
/// unknown size gets larger ones.
std::uint64_t part_size(std::uint64_t least, std::uint64_t total, std::size_t number);

struct Written {
  omnistore_status status;
  std::string etag = {};
  std::uint64_t size = 0;
};

/// Any thread.
class Writer {
public:
  Writer(Bucket &bucket, Conditions &conditions, std::uint64_t part)
      : bucket_(bucket), conditions_(conditions), part_(part) {}

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result);

  /// Sets a value that is in memory, without its sink. On any thread that the function of `call` waits for.
  Written put(omnistore::Call call, std::string_view key, const omnistore_set_request &request);

private:
  Written put(omnistore::Call call, const std::string &name, std::string_view bytes, const Pairs &conditions);
  Written upload(omnistore::Call call, const std::string &name, http::Body &body, std::uint64_t total, std::string part,
                 const Pairs &conditions);
  Written send_parts(omnistore::Call call, const std::string &name, const std::string &id, http::Body &body,
                     std::uint64_t total, std::string part, const Pairs &conditions);
  Written complete(omnistore::Call call, const std::string &name, const std::string &id,
                   const std::vector<std::string> &etags, const Pairs &conditions);
  Written write(omnistore::Call call, const std::string &name, const omnistore_set_request &request,
                const Pairs &conditions);

  Bucket &bucket_;
  Conditions &conditions_;
  const std::uint64_t part_;
};

/// Aborts the uploads under the base that began longer than `age` milliseconds ago: a host that died left them. A
/// failure is logged.
void abort_uploads(Bucket &bucket, omnistore::Call call, std::int64_t age);

/// Passes a written value's meta on if a sink wants it.
omnistore_status give(const Written &written, omnistore_sink *result);

} // namespace s3
