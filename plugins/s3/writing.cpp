// SPDX-License-Identifier: Apache-2.0
#include "writing.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <utility>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "transport/body.hpp"
#include "transport/etag.hpp"
#include "xml.hpp"

namespace s3 {
namespace {

using omnistore::Failure;

constexpr std::uint64_t MOST_PARTS = 10'000;
constexpr std::size_t GROWS_EVERY = 1'000; // parts
/// So many parts are on their way while the next one is read.
constexpr std::size_t PARTS_IN_FLIGHT = 2;

/// Fills the buffer from the body. Returns how many bytes came; fewer than the buffer's size: the body has ended.
std::size_t fill(http::Body &body, std::string &buffer) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    std::size_t count = 0;
    if (!body.read(buffer.data() + have, buffer.size() - have, count))
      throw Failure(body.failure(), body.why(), omnistore::nothing_done);
    if (count == 0) break;
    have += count;
  }
  return have;
}

/// Sends one part. Returns its etag.
std::string send_part(Bucket &bucket, omnistore::Call call, const std::string &name, const std::string &id,
                      std::size_t number, std::string_view bytes) {
  const Pairs query = {{"partNumber", std::to_string(number)}, {"uploadId", id}};
  const http::Response response = bucket.send(call, {"PUT", name, query, {}, true, bytes});
  if (response.good()) return response.etag;
  throw Failure(OMNISTORE_UNAVAILABLE, "the upload was ended by another program", omnistore::nothing_done);
}

} // namespace

std::uint64_t part_size(std::uint64_t least, std::uint64_t total, std::size_t number) {
  if (total != OMNISTORE_UNKNOWN_SIZE) return std::max(least, (total + MOST_PARTS - 1) / MOST_PARTS);
  return least << (number / GROWS_EVERY);
}

Written Writer::put(omnistore::Call call, const std::string &name, std::string_view bytes, const Pairs &conditions) {
  const Repeat repeat = conditions.empty() ? Repeat::always : Repeat::if_untouched;
  const http::Response response = bucket_.send(call, {"PUT", name, {}, conditions, true, bytes, repeat});
  if (response.good()) return {OMNISTORE_OK, http::etag_of(response.etag), bytes.size()};
  if (conditions.empty()) throw bucket_.refused("PUT", response, true);
  return {OMNISTORE_CONFLICT}; // 412 or, with If-Match of an object that is not there, 404
}

Written Writer::upload(omnistore::Call call, const std::string &name, http::Body &body, std::uint64_t total,
                       std::string part, const Pairs &conditions) {
  if (!conditions.empty()) conditions_.need(call, Conditions::uploads);
  std::string text;
  bucket_.send(call, {"POST", name, {{"uploads", ""}}, {}, true}, text);
  const std::string id = element_in(text, "UploadId");
  if (id.empty())
    throw Failure(OMNISTORE_UNAVAILABLE, "the server began an upload without an id", omnistore::nothing_done);
  const auto abort = [&] {
    clean_up(bucket_, call, {"DELETE", name, {{"uploadId", id}}},
             "an upload could not be aborted, so that its parts stay in the bucket");
  };
  try {
    Written written = send_parts(call, name, id, body, total, std::move(part), conditions);
    if (written.status != OMNISTORE_OK) abort();
    return written;
  } catch (...) { // the parts would stay, and cost money, until somebody ends the upload
    abort();
    throw;
  }
}

/// Reads and hashes a part while those before it are on their way.
Written Writer::send_parts(omnistore::Call call, const std::string &name, const std::string &id, http::Body &body,
                           std::uint64_t total, std::string part, const Pairs &conditions) {
  std::vector<std::string> etags;
  std::uint64_t size = 0;
  std::size_t number = 0;
  std::deque<std::future<std::string>> in_flight; // a failure waits for all of them
  const auto take_first = [&] {
    etags.push_back(in_flight.front().get());
    in_flight.pop_front();
  };
  for (std::size_t have = part.size(); have != 0;) {
    const bool ends = have < part.size();
    part.resize(have);
    size += have;
    ++number;
    if (in_flight.size() == PARTS_IN_FLIGHT) take_first();
    in_flight.push_back(std::async(std::launch::async, [this, call, &name, &id, number, bytes = std::move(part)] {
      return send_part(bucket_, call, name, id, number, bytes);
    }));
    if (ends) break;
    part = std::string(static_cast<std::size_t>(part_size(part_, total, number)), '\0');
    have = fill(body, part);
  }
  while (!in_flight.empty()) take_first();
  Written written = complete(call, name, id, etags, conditions);
  written.size = size;
  return written;
}

Written Writer::complete(omnistore::Call call, const std::string &name, const std::string &id,
                         const std::vector<std::string> &etags, const Pairs &conditions) {
  const std::string body = complete_request(etags);
  std::string text;
  const http::Response response =
      bucket_.send(call, {"POST", name, {{"uploadId", id}}, conditions, true, body, Repeat::if_untouched}, text);
  if (response.status == 412) return {OMNISTORE_CONFLICT};
  if (response.status == 404) { // with If-Match: there is no object
    if (!conditions.empty() && error_in(response.text).code == "NoSuchKey") return {OMNISTORE_CONFLICT};
    throw bucket_.refused("POST", response, true);
  }
  // A server that works for long begins with 200, and may end with an error.
  if (const Error error = error_in(text); !error.code.empty())
    throw Failure(OMNISTORE_UNAVAILABLE,
                  "the server did not put the parts together: " + error.code + ": " + error.message);
  return {OMNISTORE_OK, http::etag_of(element_in(text, "ETag"))};
}

Written Writer::write(omnistore::Call call, const std::string &name, const omnistore_set_request &request,
                      const Pairs &conditions) {
  if (!request.source) return put(call, name, omnistore::as_view(request.value), conditions);
  http::Body body(request);
  const std::uint64_t total = request.source_size;
  std::string part(static_cast<std::size_t>(std::min(part_size(part_, total, 0), total)), '\0');
  const std::size_t have = fill(body, part);
  if (have < part.size() || part.size() == total) {
    if (part.size() == total && have == total && total == 0) { // it must not have more than it announced
      std::size_t count = 0;
      char more;
      if (!body.read(&more, 1, count)) throw Failure(body.failure(), body.why(), omnistore::nothing_done);
      if (count != 0) throw Failure(OMNISTORE_INVALID, "more bytes came than were announced", omnistore::nothing_done);
    }
    return put(call, name, std::string_view(part).substr(0, have), conditions);
  }
  return upload(call, name, body, total, std::move(part), conditions);
}

Written Writer::put(omnistore::Call call, std::string_view key, const omnistore_set_request &request) {
  const Pairs headers = conditions_.headers_of(call, request.condition, omnistore::as_view(request.etag));
  return write(call, bucket_.name_of(key), request, headers);
}

omnistore_status Writer::set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                             omnistore_sink *result) {
  return give(put(call, key, request), result);
}

void abort_uploads(Bucket &bucket, omnistore::Call call, std::int64_t age) {
  Request list;
  list.query = {{"uploads", ""}, {"prefix", bucket.settings().base}, {"encoding-type", "url"}};
  const std::int64_t latest = bucket.host().now(&bucket.host()) - age;
  std::string text;
  try {
    bucket.send(call, list, text);
  } catch (const Failure &failure) {
    omnistore::log_line(bucket.host(), OMNISTORE_LOG_WARN,
                        std::string("uploads that did not end could not be listed: ") + failure.what());
  }
  for (const Upload &each : uploads_in(text)) {
    if (each.begun > latest || !each.name.starts_with(bucket.settings().base)) continue;
    clean_up(bucket, call, {"DELETE", each.name, {{"uploadId", each.id}}}, "an upload could not be aborted");
  }
}

omnistore_status give(const Written &written, omnistore_sink *result) {
  if (written.status != OMNISTORE_OK || !result) return written.status;
  omnistore_meta meta = omnistore::make_meta(written.size);
  meta.etag = omnistore::as_bytes(written.etag);
  return result->begin(result, &meta, nullptr);
}

} // namespace s3
