// SPDX-License-Identifier: Apache-2.0
// The `s3` driver keeps values as the objects of a bucket, under the names that unstorage's s3 driver gives them.
// bucket.hpp signs and sends requests, over the transport of the http driver.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <omnistore/driver.hpp>
#include <omnistore/ext/revalidate.h>
#include <omnistore/forward.hpp>
#include <omnistore_schema.h>

#include "batches.hpp"
#include "bucket.hpp"
#include "conditions.hpp"
#include "listing.hpp"
#include "reading.hpp"
#include "removing.hpp"
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
/// Returns the capabilities of a store over a server that keeps the conditions of the option conditionalWrites.
std::uint64_t capabilities_with(const std::string &conditions) {
  if (conditions == "all") return OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_MATCH;
  return conditions == "create" ? OMNISTORE_CAN_IF_ABSENT : 0;
}

class S3 {
public:
  S3(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
     std::span<const omnistore_store *const>, omnistore::Call call)
      : bucket_(host, settings_in(options)),
        writer_(bucket_, conditions_, static_cast<std::uint64_t>(options.integer("partSize", 8 << 20))) {
    traits.max_key_size -= bucket_.settings().base.size();
    traits.capabilities |= capabilities_with(options.string("conditionalWrites", "none"));
    try {
      bucket_.check(call);
      if (const std::int64_t age = options.integer("abortUploadsAfter", 0); age > 0) abort_uploads(bucket_, call, age);
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
    return s3::get_changed(bucket_, call, key, request, {}, sink, unchanged);
  }
  omnistore_status get_changed(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                               std::string_view known, omnistore_sink &sink, bool &unchanged) {
    return s3::get_changed(bucket_, call, key, request, known, sink, unchanged);
  }
  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    return s3::stat(bucket_, call, key, request, sink);
  }
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return writer_.set(call, key, request, result);
  }
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    return remover_.remove(call, key, request);
  }
  omnistore_status get_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    return batches_.get_many(call, keys, requests, sinks, statuses);
  }
  omnistore_status stat_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    return batches_.stat_many(call, keys, requests, sinks, statuses);
  }
  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    return batches_.set_many(call, keys, requests, results, statuses);
  }
  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    return omnistore::partly_done([&] { return batches_.remove_many(call, keys, requests, statuses); });
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
  Bucket bucket_;
  Conditions conditions_{bucket_};
  Writer writer_;
  Remover remover_{bucket_, conditions_};
  Batches batches_{bucket_, writer_, remover_};
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
