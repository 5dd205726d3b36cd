// SPDX-License-Identifier: Apache-2.0
#include "conditions.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <random>

#include <omnistore/failure.hpp>

#include "xml.hpp"

namespace s3 {
namespace {

using omnistore::Failure;

constexpr std::int64_t CLEAN_UP_TIME = 5'000; // milliseconds

/// A call with some time of its own.
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

std::string quoted(std::string_view etag) { return "\"" + std::string(etag) + "\""; }

std::string probe_name() {
  std::random_device random;
  return "omnistore-probe-" + std::to_string(random()) + std::to_string(random()) + "$";
}

} // namespace

void clean_up(Bucket &bucket, omnistore::Call call, const Request &request, const std::string &what) noexcept {
  CleanUpCall later(call);
  try {
    bucket.send(omnistore::Call(&later), request);
  } catch (const std::exception &failure) {
    omnistore::log_line(bucket.host(), OMNISTORE_LOG_WARN, what + ": " + failure.what());
  }
}

Pairs Conditions::headers_of(omnistore::Call call, std::uint32_t condition, std::string_view etag) {
  if (condition == OMNISTORE_ALWAYS) return {};
  const bool creating = condition == OMNISTORE_IF_ABSENT;
  need(call, creating ? creates : matches);
  return creating ? Pairs{{"if-none-match", "*"}} : Pairs{{"if-match", quoted(etag)}};
}

void Conditions::need(omnistore::Call call, Kind kind) {
  if (shown_ & kind) return;
  const std::string name = bucket_.name_of(probe_name());
  bucket_.send(call, {"PUT", name, {}, {}, true, "probe"});
  const auto remove = [&] {
    clean_up(bucket_, call, {"DELETE", name}, "the object " + name + " could not be removed");
  };
  try {
    try_out(call, kind, name);
  } catch (...) {
    remove();
    throw;
  }
  remove();
  shown_ |= kind;
}

void Conditions::try_out(omnistore::Call call, Kind kind, const std::string &name) {
  const Pairs absent = {{"if-none-match", "*"}}, other = {{"if-match", quoted("00000000000000000000000000000000")}};
  if (kind == creates) must_refuse(call, {"PUT", name, {}, absent, true, "other"}, "If-None-Match of a PUT");
  if (kind == matches) {
    must_refuse(call, {"PUT", name, {}, other, true, "other"}, "If-Match of a PUT");
    must_refuse(call, {"DELETE", name, {}, other}, "If-Match of a DELETE");
  }
  if (kind != uploads) return;
  std::string text;
  bucket_.send(call, {"POST", name, {{"uploads", ""}}, {}, true}, text);
  const Pairs upload = {{"uploadId", element_in(text, "UploadId")}};
  const http::Response part = bucket_.send(call, {"PUT", name, {{"partNumber", "1"}, upload[0]}, {}, true, "other"});
  const std::string parts = complete_request({part.etag});
  try {
    must_refuse(call, {"POST", name, upload, absent, true, parts}, "If-None-Match of an upload in parts");
  } catch (...) {
    clean_up(bucket_, call, {"DELETE", name, upload}, "an upload could not be aborted");
    throw;
  }
  clean_up(bucket_, call, {"DELETE", name, upload}, "an upload could not be aborted");
}

void Conditions::must_refuse(omnistore::Call call, const Request &request, const char *condition) {
  if (bucket_.send(call, request).status == 412) return;
  throw Failure(OMNISTORE_UNSUPPORTED,
                std::string("the server ignores ") + condition + ": the option conditionalWrites claims too much",
                omnistore::nothing_done);
}

} // namespace s3
