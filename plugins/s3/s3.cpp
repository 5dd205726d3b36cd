// SPDX-License-Identifier: Apache-2.0
// The `s3` driver keeps values as the objects of a bucket, under the names that unstorage's s3 driver gives them.
// bucket.hpp signs and sends requests, over the transport of the http driver.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/ext/revalidate.h>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

#include "bucket.hpp"
#include "listing.hpp"
#include "removing.hpp"
#include "transport/etag.hpp"
#include "transport/reader.hpp"
#include "writing.hpp"

namespace s3 {
namespace {

constexpr std::uint64_t LONGEST_NAME = 1024; // bytes of an object's name
constexpr std::uint64_t LONGEST_VALUE = std::uint64_t{5} << 40;

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                   OMNISTORE_CAN_LIST_FOLDERS;
  t.max_key_size = LONGEST_NAME;
  t.max_value_size = LONGEST_VALUE;
  t.keeps = OMNISTORE_KEEPS_POWER;
  t.order = OMNISTORE_ORDER_NONE; // S3 sorts '/' before the digits
  return t;
}();
/// What a server can do besides that keeps the conditions of writes.
constexpr std::uint64_t WITH_CONDITIONS = OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_MATCH;

class S3 {
public:
  S3(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
     std::span<const omnistore_store *const>, omnistore::Call call)
      : host_(host), bucket_(host, settings_in(options)),
        writer_(bucket_, static_cast<std::uint64_t>(options.integer("partSize", 8 << 20))) {
    traits.max_key_size -= bucket_.settings().base.size();
    if (options.boolean("conditionalWrites", false)) traits.capabilities |= WITH_CONDITIONS;
    try {
      bucket_.check(call);
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_UNAVAILABLE && failure.status() != OMNISTORE_TIMEOUT) throw;
      omnistore::log_line(host, OMNISTORE_LOG_WARN, "the bucket could not be checked: " + std::string(failure.what()));
    }
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { settings_in(options); });
  }

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    bool unchanged = false;
    return get_changed(call, key, request, {}, sink, unchanged);
  }
  omnistore_status get_changed(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                               std::string_view known, omnistore_sink &sink, bool &unchanged) {
    if (request.length == 0) return stat(call, key, request, sink);
    Request get{"GET", bucket_.name_of(key)};
    if (request.offset != 0 || request.length != UINT64_MAX) {
      const std::uint64_t last =
          request.length > UINT64_MAX - request.offset ? UINT64_MAX : request.offset + request.length;
      get.headers.emplace_back("range", "bytes=" + std::to_string(request.offset) + "-" +
                                            (last == UINT64_MAX ? "" : std::to_string(last - 1)));
    }
    if (const std::string header = http::header_of(known); !header.empty())
      get.headers.emplace_back("if-none-match", header);
    http::Reader reader(host_, request, sink, known);
    const http::Response response = bucket_.send(
        call, get, [&reader](const http::Response &head, std::string_view piece) { return reader.take(head, piece); });
    if (response.gone()) return OMNISTORE_NOT_FOUND;
    if (response.status == 416) return stat(call, key, request, sink); // the range begins at or after the end
    const omnistore_status status = reader.finish(response);
    unchanged = reader.unchanged();
    return status;
  }
  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    const http::Response response = bucket_.send(call, {"HEAD", bucket_.name_of(key)});
    if (response.gone()) return OMNISTORE_NOT_FOUND;
    std::string etag;
    omnistore_meta meta = http::meta_of(response, host_, etag);
    if (!(request.flags & OMNISTORE_GET_META)) meta.etag = {};
    return omnistore::give(sink, meta);
  }
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return writer_.set(call, key, request, result);
  }
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    return writer_.remove(call, key, request);
  }
  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return s3::list(bucket_, call, request, page);
  }
  /// A part may be gone when a later one fails, so no failure says that nothing was done.
  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    return omnistore::partly_done([&] { return s3::clear(bucket_, call, request, removed); });
  }
  omnistore_status health(omnistore::Call call) {
    bucket_.check(call);
    return OMNISTORE_OK;
  }
  const void *extension(const char *id);

private:
  const omnistore_host &host_;
  Bucket bucket_;
  Writer writer_;
};

using Table = omnistore::sdk::Table<S3>;

omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes etag,
                                            omnistore_sink *sink, uint32_t *unchanged) noexcept {
  return omnistore::sdk::guarded(call, [&](omnistore::Call c) {
    bool same = false;
    const omnistore_status status =
        Table::of(self).get_changed(c, omnistore::as_view(key), *request, omnistore::as_view(etag), *sink, same);
    *unchanged = same ? 1 : 0;
    return status;
  });
}

constexpr omnistore_revalidate REVALIDATE = {sizeof(omnistore_revalidate), 0, &get_changed};

const void *S3::extension(const char *id) {
  return std::string_view(id) == OMNISTORE_REVALIDATE ? &REVALIDATE : nullptr;
}

} // namespace
} // namespace s3

OMNISTORE_PLUGIN(omnistore::driver<s3::S3>("s3", "1.0.0", "Values in a bucket of Amazon S3 or of a server with its API",
                                           OMNISTORE_OPTIONS_SCHEMA, s3::TRAITS))
