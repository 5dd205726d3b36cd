// SPDX-License-Identifier: Apache-2.0
// Writes: a PUT, or an upload in parts for a stream that is longer than one part.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "bucket.hpp"

namespace s3 {

/// Returns the size of a part of an upload, by its number from 0. An upload has at most 10,000 parts, so a long one of
/// unknown size gets larger ones.
std::uint64_t part_size(std::uint64_t least, std::uint64_t total, std::size_t number);

/// Any thread.
class Writer {
public:
  Writer(Bucket &bucket, std::uint64_t part) : bucket_(bucket), part_(part) {}

  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result);
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request);

  /// Throws Failure(OMNISTORE_UNSUPPORTED) unless the server has shown that it keeps conditions.
  void need_conditions(omnistore::Call call);

private:
  struct Written {
    omnistore_status status;
    std::string etag;
    std::uint64_t size;
  };
  Written put(omnistore::Call call, const std::string &name, std::string_view bytes, const Pairs &conditions);
  Written upload(omnistore::Call call, const std::string &name, http::Body &body, std::uint64_t total, std::string part,
                 const Pairs &conditions);
  Written complete(omnistore::Call call, const std::string &name, const std::string &id,
                   const std::vector<std::string> &etags, const Pairs &conditions);
  Written write(omnistore::Call call, const std::string &name, const omnistore_set_request &request,
                const Pairs &conditions);
  /// Sends a conditional write that must not hold. Returns true if the server refused it.
  bool refuses(omnistore::Call call, const Request &request);

  Bucket &bucket_;
  const std::uint64_t part_;
  std::atomic<bool> keeps_conditions_ = false;
  std::mutex probing_;
};

} // namespace s3
