// SPDX-License-Identifier: Apache-2.0
#include "writing.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

#include "transport/body.hpp"
#include "transport/etag.hpp"
#include "xml.hpp"

namespace s3 {
namespace {

using omnistore::Failure;

constexpr std::uint64_t MOST_PARTS = 10'000;
constexpr std::size_t GROWS_EVERY = 1'000;    // parts
constexpr std::int64_t CLEAN_UP_TIME = 5'000; // milliseconds

/// A call for what is cleaned up after a failure, when the time of the request's own call may be up.
struct CleanUpCall : omnistore_call {
  std::chrono::steady_clock::time_point end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(CLEAN_UP_TIME);

  explicit CleanUpCall(const omnistore::Call &call)
      : omnistore_call{sizeof(omnistore_call), 0, &call.context(), {}, {}} {
    remaining = [](const omnistore_call *self) noexcept -> std::int64_t {
      const auto rest = static_cast<const CleanUpCall *>(self)->end - std::chrono::steady_clock::now();
      return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(rest).count());
    };
    fail = [](omnistore_call *, const omnistore_failure *) noexcept {};
  }
};

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

/// Runs `probe` when it ends, whatever happens.
template <class F>
class AtEnd {
public:
  explicit AtEnd(F run) : run_(std::move(run)) {}
  AtEnd(const AtEnd &) = delete;
  AtEnd &operator=(const AtEnd &) = delete;
  ~AtEnd() { run_(); }

private:
  F run_;
};

Repeat repeat_with(const Pairs &conditions) { return conditions.empty() ? Repeat::always : Repeat::if_untouched; }

std::string quoted(std::string_view etag) { return "\"" + std::string(etag) + "\""; }

} // namespace

std::uint64_t part_size(std::uint64_t least, std::uint64_t total, std::size_t number) {
  if (total != OMNISTORE_UNKNOWN_SIZE) return std::max(least, (total + MOST_PARTS - 1) / MOST_PARTS);
  return least << (number / GROWS_EVERY);
}

Writer::Written Writer::put(omnistore::Call call, const std::string &name, std::string_view bytes,
                            const Pairs &conditions) {
  const Request request{"PUT", name, {}, conditions, true, bytes, repeat_with(conditions)};
  const http::Response response = bucket_.send(call, request);
  if (response.status == 412 || response.status == 404) return {OMNISTORE_CONFLICT, {}, 0};
  return {OMNISTORE_OK, http::etag_of(response.etag), bytes.size()};
}

Writer::Written Writer::upload(omnistore::Call call, const std::string &name, http::Body &body, std::uint64_t total,
                               std::string part, const Pairs &conditions) {
  std::string text;
  bucket_.send(call, {"POST", name, {{"uploads", ""}}, {}, true}, text);
  const std::string id = element_in(text, "UploadId");
  if (id.empty())
    throw Failure(OMNISTORE_UNAVAILABLE, "the server began an upload without an id", omnistore::nothing_done);
  try {
    std::vector<std::string> etags;
    std::uint64_t size = 0;
    for (std::size_t have = part.size(); have != 0;) {
      const Pairs query = {{"partNumber", std::to_string(etags.size() + 1)}, {"uploadId", id}};
      const http::Response response =
          bucket_.send(call, {"PUT", name, query, {}, true, std::string_view(part).substr(0, have)});
      if (!response.good())
        throw Failure(OMNISTORE_UNAVAILABLE, "the upload was ended by another program", omnistore::nothing_done);
      etags.push_back(response.etag);
      size += have;
      if (have < part.size()) break;
      part.resize(static_cast<std::size_t>(part_size(part_, total, etags.size())));
      have = fill(body, part);
    }
    Written written = complete(call, name, id, etags, conditions);
    written.size = size;
    return written;
  } catch (...) {
    // The parts would stay, and cost money, until somebody ends the upload.
    CleanUpCall later(call);
    try {
      bucket_.send(omnistore::Call(&later), {"DELETE", name, {{"uploadId", id}}});
    } catch (const Failure &failure) {
      omnistore::log_line(bucket_.host(), OMNISTORE_LOG_WARN,
                          "an upload could not be aborted, so that its parts stay in the bucket: " +
                              std::string(failure.what()));
    }
    throw;
  }
}

Writer::Written Writer::complete(omnistore::Call call, const std::string &name, const std::string &id,
                                 const std::vector<std::string> &etags, const Pairs &conditions) {
  const std::string body = complete_request(etags);
  std::string text;
  const http::Response response =
      bucket_.send(call, {"POST", name, {{"uploadId", id}}, conditions, true, body, Repeat::if_untouched}, text);
  if (response.status == 412) {
    bucket_.send(call, {"DELETE", name, {{"uploadId", id}}});
    return {OMNISTORE_CONFLICT, {}, 0};
  }
  if (response.status == 404) { // with If-Match: there is no object
    if (!conditions.empty() && error_in(response.text).code == "NoSuchKey") {
      bucket_.send(call, {"DELETE", name, {{"uploadId", id}}});
      return {OMNISTORE_CONFLICT, {}, 0};
    }
    throw bucket_.refused("POST", response, true);
  }
  // A server that works for long begins with 200, and may end with an error.
  if (const Error error = error_in(text); !error.code.empty())
    throw Failure(OMNISTORE_UNAVAILABLE,
                  "the server did not put the parts together: " + error.code + ": " + error.message);
  return {OMNISTORE_OK, http::etag_of(element_in(text, "ETag")), 0};
}

Writer::Written Writer::write(omnistore::Call call, const std::string &name, const omnistore_set_request &request,
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

omnistore_status Writer::set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                             omnistore_sink *result) {
  const std::string name = bucket_.name_of(key);
  Pairs conditions;
  if (request.condition != OMNISTORE_ALWAYS) need_conditions(call);
  if (request.condition == OMNISTORE_IF_ABSENT) conditions = {{"if-none-match", "*"}};
  if (request.condition == OMNISTORE_IF_MATCH) conditions = {{"if-match", quoted(omnistore::as_view(request.etag))}};
  const Written written = write(call, name, request, conditions);
  if (written.status != OMNISTORE_OK || !result) return written.status;
  omnistore_meta meta = omnistore::make_meta(written.size);
  meta.etag = omnistore::as_bytes(written.etag);
  return result->begin(result, &meta, nullptr);
}

omnistore_status Writer::remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
  Request remove{"DELETE", bucket_.name_of(key)};
  if (request.condition == OMNISTORE_IF_MATCH) {
    need_conditions(call);
    remove.headers = {{"if-match", quoted(omnistore::as_view(request.etag))}};
    remove.repeat = Repeat::if_untouched;
    return bucket_.send(call, remove).good() ? OMNISTORE_OK : OMNISTORE_CONFLICT;
  }
  // S3 does not say whether there was an object.
  Request head{"HEAD", remove.name};
  if (!bucket_.send(call, head).good()) return OMNISTORE_NOT_FOUND;
  bucket_.send(call, remove);
  return OMNISTORE_OK;
}

bool Writer::refuses(omnistore::Call call, const Request &request) { return bucket_.send(call, request).status == 412; }

void Writer::need_conditions(omnistore::Call call) {
  if (keeps_conditions_) return;
  const std::lock_guard guard(probing_);
  if (keeps_conditions_) return;
  std::random_device random;
  const std::string name =
      bucket_.name_of("omnistore-probe-" + std::to_string(random()) + std::to_string(random()) + "$");
  const Pairs absent = {{"if-none-match", "*"}}, other = {{"if-match", quoted("00000000000000000000000000000000")}};
  bucket_.send(call, {"PUT", name, {}, {}, true, "probe"});
  const AtEnd clean([&] {
    CleanUpCall later(call);
    try {
      bucket_.send(omnistore::Call(&later), {"DELETE", name});
    } catch (const Failure &failure) {
      omnistore::log_line(bucket_.host(), OMNISTORE_LOG_WARN,
                          "the object " + name + " could not be removed: " + failure.what());
    }
  });
  const auto fail = [](const char *what) {
    throw Failure(OMNISTORE_UNSUPPORTED,
                  std::string("the server ignores ") + what +
                      ", so that it keeps no conditions: set conditionalWrites to false",
                  omnistore::nothing_done);
  };
  if (!refuses(call, {"PUT", name, {}, absent, true, "other"})) fail("If-None-Match of a PUT");
  if (!refuses(call, {"PUT", name, {}, other, true, "other"})) fail("If-Match of a PUT");
  std::string text;
  bucket_.send(call, {"POST", name, {{"uploads", ""}}, {}, true}, text);
  const std::string id = element_in(text, "UploadId");
  const Pairs query = {{"partNumber", "1"}, {"uploadId", id}};
  const http::Response part = bucket_.send(call, {"PUT", name, query, {}, true, "other"});
  const std::string parts = complete_request({part.etag});
  if (!refuses(call, {"POST", name, {{"uploadId", id}}, absent, true, parts})) fail("If-None-Match of an upload");
  bucket_.send(call, {"DELETE", name, {{"uploadId", id}}});
  if (!refuses(call, {"DELETE", name, {}, other})) fail("If-Match of a DELETE");
  keeps_conditions_ = true;
}

} // namespace s3
