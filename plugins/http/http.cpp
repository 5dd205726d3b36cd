// SPDX-License-Identifier: Apache-2.0
// The `http` driver keeps values on an HTTP server, with the requests of unstorage's http driver. If the server is an
// Omnistore host it also uses the host's conditions, batches, clears and events. transport/ sends requests, operations/
// says which requests each operation takes.
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/ext/revalidate.h>
#include <omnistore_schema.h>

#include "operations/batches.hpp"
#include "operations/listing.hpp"
#include "operations/values.hpp"
#include "operations/watch.hpp"
#include "transport/client.hpp"

namespace http {
namespace {

constexpr omnistore_traits TRAITS = [] {
  omnistore_traits t{};
  t.size = sizeof t;
  t.thread_model = OMNISTORE_PARALLEL;
  // A server that does not know conditions sets the value all the same, so they are not claimed here. A ttl is the
  // server's, or is refused: if the host kept it, each read would also request `key$`.
  t.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_RANGE |
                   OMNISTORE_CAN_STREAM | OMNISTORE_CAN_META;
  t.keeps = OMNISTORE_KEEPS_UNKNOWN;
  t.order = OMNISTORE_ORDER_NONE;
  return t;
}();
/// The further capabilities of an Omnistore host.
constexpr std::uint64_t OF_A_HOST = OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH |
                                    OMNISTORE_CAN_DEPTH | OMNISTORE_WATCHES_OWN;

constexpr std::uint32_t PAGE = 10'000; // keys of a page that a clear lists

Headers headers_in(const omnistore::Options &options) {
  const auto headers = options.string_map("headers", std::map<std::string, std::string>());
  return {headers.begin(), headers.end()};
}

Limits limits_in(const omnistore::Options &options) {
  return {milliseconds(options.integer("timeout", 30'000)),
          milliseconds(options.integer("idleTimeout", 60'000)),
          milliseconds(options.integer("connectTimeout", 5'000)),
          static_cast<std::size_t>(options.integer("maxConnections", 8)),
          options.string("ca", ""),
          options.boolean("omnistore", false),
          options.string("certificate", ""),
          options.string(options.has("key") ? "key" : "certificate", "")};
}

ServerTraits server_in(const omnistore::Options &options) {
  const bool is_omnistore = options.boolean("omnistore", false);
  return {is_omnistore || options.boolean("ttl", false), is_omnistore};
}

class Http {
public:
  Http(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits)
      : host_(host), server_(server_in(options)),
        client_(parse_base(options.string("base")), headers_in(options), limits_in(options)),
        values_(client_, host, server_), batches_(client_, values_, host, server_.is_omnistore) {
    if (server_.is_omnistore) traits.capabilities |= OF_A_HOST;
    // Names are compared whole: those of a host below a path may be other ones here.
    if (server_.is_omnistore && client_.base().path.empty())
      traits.capabilities |= OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_FOLDERS;
  }

  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    problems.check([&] { parse_base(options.string("base")); });
    problems.check([&] { check_headers(headers_in(options)); });
    problems.check([&] { check_tls_files(limits_in(options)); });
  }

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                       omnistore_sink &sink) {
    return values_.get(call, key, request, sink);
  }
  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &request,
                        omnistore_sink &sink) {
    return values_.stat(call, key, request, sink);
  }
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    return values_.set(call, key, request, result);
  }
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    if (!server_.is_omnistore) return values_.remove(call, key, request);
    const omnistore_bytes keys[] = {omnistore::as_bytes(key)};
    const omnistore_remove_request *const requests[] = {&request};
    omnistore_status status = OMNISTORE_INTERNAL;
    batches_.remove(call, keys, omnistore::Requests<omnistore_remove_request>(requests), &status);
    return status;
  }
  omnistore_status touch(omnistore::Call call, std::string_view key, const omnistore_touch_request &request) {
    return values_.touch(call, key, request);
  }

  omnistore_status get_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    batches_.get(call, keys, requests, sinks, statuses);
    return OMNISTORE_OK;
  }
  omnistore_status stat_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    batches_.stat(call, keys, requests, sinks, statuses);
    return OMNISTORE_OK;
  }
  omnistore_status set_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    batches_.set(call, keys, requests, results, statuses);
    return OMNISTORE_OK;
  }
  omnistore_status remove_many(omnistore::Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
    batches_.remove(call, keys, requests, statuses);
    return OMNISTORE_OK;
  }

  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    return http::list(client_, call, request, server_.is_omnistore, page);
  }

  /// A part may be gone when a later one fails, so no failure says that nothing was done.
  omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    omnistore::LaterStepCall partly(call);
    return omnistore::sdk::guarded(&partly, [&](omnistore::Call on) { return clear_parts(on, request, removed); });
  }

  omnistore_status watch(omnistore::Call call, const omnistore_watch_request &request, omnistore_watcher &watcher,
                         void **watch) {
    if (!server_.is_omnistore)
      return call.fail(
          OMNISTORE_UNSUPPORTED,
          "the server is not known to report changes; set the option omnistore if it is an Omnistore host");
    *watch = new Watch(client_, host_, call, omnistore::as_view(request.base), watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) { delete static_cast<Watch *>(watch); }

  omnistore_status health(omnistore::Call call) { return values_.health(call); }

  const void *extension(const char *id);

  Values &values() { return values_; }

private:
  /// The keys are listed before they are removed, since no server says which keys it removed.
  omnistore_status clear_parts(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed) {
    std::vector<std::string> keys;
    if (removed || !server_.is_omnistore)
      if (const omnistore_status status = list_all(call, request.base, keys, removed); status != OMNISTORE_OK)
        return status;
    if (server_.is_omnistore) {
      const Request remove{"DELETE", "/" + path_of(omnistore::as_view(request.base))};
      const Response response = client_.run(call, remove, &take_all);
      if (!response.good()) throw client_.refused(remove, response);
    }
    for (const std::string &key : keys) {
      if (!server_.is_omnistore) {
        const omnistore_status status = values_.remove(call, key, {sizeof(omnistore_remove_request), 0, 0, 0, {}});
        if (status == OMNISTORE_NOT_FOUND) continue;
        if (status != OMNISTORE_OK) return status;
      }
      if (!removed) continue;
      const omnistore_status status = removed->emit(removed, omnistore::as_bytes(key), nullptr);
      if (status != OMNISTORE_OK) return status;
    }
    return OMNISTORE_OK;
  }

  /// Adds all keys under a base. Places that the server could not read are passed on.
  omnistore_status list_all(omnistore::Call call, omnistore_bytes base, std::vector<std::string> &keys,
                            omnistore_page *skips) {
    std::string cursor;
    do {
      omnistore::PageSink page([&keys](std::string_view key, const omnistore_meta *) {
        keys.emplace_back(key);
        return OMNISTORE_OK;
      });
      const omnistore_list_request request{
          sizeof request, 0, base, OMNISTORE_ANY_DEPTH, PAGE, omnistore::as_bytes(cursor), {}, {}};
      const omnistore_status status = list(call, request, page);
      if (status != OMNISTORE_OK) return status;
      if (skips)
        if (const omnistore_status passed = omnistore::pass_on(page.skipped, *skips); passed != OMNISTORE_OK)
          return passed;
      cursor = page.cursor;
    } while (!cursor.empty());
    return OMNISTORE_OK;
  }

  const omnistore_host &host_;
  const ServerTraits server_;
  Client client_;
  Values values_;
  Batches batches_;
};

using Table = omnistore::sdk::Table<Http>;

omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes etag,
                                            omnistore_sink *sink, uint32_t *unchanged) noexcept {
  return omnistore::sdk::guarded(call, [&](omnistore::Call c) {
    bool same = false;
    const omnistore_status status = Table::of(self).values().get_changed(c, omnistore::as_view(key), *request,
                                                                         omnistore::as_view(etag), *sink, same);
    *unchanged = same ? 1 : 0;
    return status;
  });
}

constexpr omnistore_revalidate REVALIDATE = {sizeof(omnistore_revalidate), 0, &get_changed};

const void *Http::extension(const char *id) {
  return std::string_view(id) == OMNISTORE_REVALIDATE ? &REVALIDATE : nullptr;
}

} // namespace
} // namespace http

OMNISTORE_PLUGIN(omnistore::driver<http::Http>("http", "1.0.0", "Values on an HTTP server or an Omnistore host",
                                               OMNISTORE_OPTIONS_SCHEMA, http::TRAITS))
