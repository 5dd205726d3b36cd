// SPDX-License-Identifier: Apache-2.0
// A store in memory as the host's layers see it: its functions alone, which can do as little as a driver may.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/testing.hpp>

#include "storage/functions.hpp"

namespace plain {

using omnistore::as_bytes;
using omnistore::as_view;

class Store {
public:
  std::map<std::string, std::string, std::less<>> values;
  bool gives_etags = true;
  bool has_if_absent = false;                 ///< keeps OMNISTORE_IF_ABSENT itself
  omnistore_status set_status = OMNISTORE_OK; ///< of each set of a key that does not end in '$'
  std::vector<std::string> calls;             ///< "get a", "stat_many 3", ...

  omnistore::Functions functions() {
    omnistore::Functions all;
    all.get.bind<&Store::get>(*this);
    all.stat.bind<&Store::stat>(*this);
    all.set.bind<&Store::set>(*this);
    all.remove.bind<&Store::remove>(*this);
    all.list.bind<&Store::list>(*this);
    return all;
  }
  omnistore::Functions with_batches() {
    omnistore::Functions all = functions();
    all.get_many.bind<&Store::get_many>(*this);
    all.stat_many.bind<&Store::stat_many>(*this);
    all.remove_many.bind<&Store::remove_many>(*this);
    return all;
  }
  std::size_t count(std::string_view call) const {
    std::size_t all = 0;
    for (const std::string &each : calls) all += each == call;
    return all;
  }

private:
  omnistore_meta meta(const std::string &value) {
    omnistore_meta meta = omnistore::make_meta(value.size());
    etag_ = "e-" + value;
    if (gives_etags) meta.etag = as_bytes(etag_);
    return meta;
  }
  void called(const char *what, omnistore_bytes key) {
    calls.push_back(std::string(what) + " " + std::string(as_view(key)));
  }
  omnistore_status get(omnistore_call *, omnistore_bytes key, const omnistore_get_request *request,
                       omnistore_sink *sink) {
    called("get", key);
    const auto found = values.find(as_view(key));
    if (found == values.end()) return OMNISTORE_NOT_FOUND;
    if (!omnistore::is_whole(*request)) return OMNISTORE_INTERNAL;
    return omnistore::give(*sink, meta(found->second), found->second);
  }
  omnistore_status stat(omnistore_call *, omnistore_bytes key, const omnistore_get_request *, omnistore_sink *sink) {
    called("stat", key);
    const auto found = values.find(as_view(key));
    return found == values.end() ? OMNISTORE_NOT_FOUND : omnistore::give(*sink, meta(found->second));
  }
  omnistore_status set(omnistore_call *, omnistore_bytes key, const omnistore_set_request *request,
                       omnistore_sink *result) {
    called("set", key);
    if (request->source || request->expiry != 0 || request->user.size != 0) return OMNISTORE_INTERNAL;
    if (request->condition == OMNISTORE_IF_ABSENT && has_if_absent) {
      if (values.contains(as_view(key))) return OMNISTORE_CONFLICT;
    } else if (request->condition != OMNISTORE_ALWAYS) {
      return OMNISTORE_INTERNAL;
    }
    if (set_status != OMNISTORE_OK && !as_view(key).ends_with('$')) return set_status;
    values[std::string(as_view(key))] = as_view(request->value);
    return result ? omnistore::give(*result, meta(std::string(as_view(request->value)))) : OMNISTORE_OK;
  }
  omnistore_status remove(omnistore_call *, omnistore_bytes key, const omnistore_remove_request *request) {
    called("remove", key);
    if (request->condition == OMNISTORE_IF_MATCH) return OMNISTORE_INTERNAL;
    const auto found = values.find(as_view(key));
    if (found == values.end()) return OMNISTORE_NOT_FOUND;
    values.erase(found);
    return OMNISTORE_OK;
  }
  /// Two keys a page, each with its meta.
  omnistore_status list(omnistore_call *, const omnistore_list_request *request, omnistore_page *page) {
    called("list", request->base);
    std::uint32_t emitted = 0;
    std::string last;
    for (const auto &[key, value] : values) {
      if (key <= as_view(request->cursor) || !key.starts_with(as_view(request->base))) continue;
      if (emitted++ == 2) {
        page->next(page, as_bytes(last));
        break;
      }
      const omnistore_meta about = meta(value);
      if (const omnistore_status status = page->emit(page, as_bytes(key), &about); status != OMNISTORE_OK)
        return status;
      last = key;
    }
    return OMNISTORE_OK;
  }
  omnistore_status get_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                            const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses) {
    calls.push_back("get_many " + std::to_string(count));
    for (std::uint32_t i = 0; i < count; ++i) statuses[i] = get(call, keys[i], requests[i], sinks[i]);
    return OMNISTORE_OK;
  }
  omnistore_status stat_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                             const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses) {
    calls.push_back("stat_many " + std::to_string(count));
    for (std::uint32_t i = 0; i < count; ++i) statuses[i] = stat(call, keys[i], requests[i], sinks[i]);
    return OMNISTORE_OK;
  }
  omnistore_status remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                               const omnistore_remove_request *const *requests, omnistore_status *statuses) {
    calls.push_back("remove_many " + std::to_string(count));
    for (std::uint32_t i = 0; i < count; ++i) statuses[i] = remove(call, keys[i], requests[i]);
    return OMNISTORE_OK;
  }
  std::string etag_;
};

/// The calls of the tests on a stack of layers.
struct Caller {
  omnistore::Functions functions;
  omnistore::testing::BareCall call{};

  omnistore_status get(std::string_view key, omnistore::ValueSink &into, std::uint64_t offset = 0,
                       std::uint64_t length = UINT64_MAX, std::uint32_t flags = 0) {
    const omnistore_get_request request{sizeof request, flags, offset, length};
    return functions.get(&call, as_bytes(key), &request, &into);
  }
  /// The value, or "none".
  std::string get(std::string_view key) {
    omnistore::ValueSink found;
    return get(key, found) == OMNISTORE_OK ? found.bytes : "none";
  }
  omnistore_status set(std::string_view key, std::string_view value, std::int64_t expiry = 0,
                       std::string_view user = {}, std::uint32_t condition = OMNISTORE_ALWAYS,
                       std::string_view etag = {}) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = as_bytes(value);
    request.expiry = expiry;
    request.user = as_bytes(user);
    request.condition = condition;
    request.etag = as_bytes(etag);
    return functions.set(&call, as_bytes(key), &request, nullptr);
  }
  omnistore_status set_if(std::uint32_t condition, std::string_view key, std::string_view value,
                          std::string_view etag = {}) {
    return set(key, value, 0, {}, condition, etag);
  }
  omnistore_status remove(std::string_view key, std::uint32_t condition = OMNISTORE_ALWAYS,
                          std::string_view etag = {}) {
    const omnistore_remove_request request{sizeof request, 0, condition, 0, as_bytes(etag)};
    return functions.remove(&call, as_bytes(key), &request);
  }
  /// The keys of all pages, each with a blank after it; "key=etag " with meta.
  std::string list(std::string_view base = {}, std::uint32_t depth = OMNISTORE_ANY_DEPTH, std::uint32_t flags = 0) {
    std::string keys, cursor;
    do {
      omnistore::PageSink page([&](std::string_view key, const omnistore_meta *meta) {
        keys.append(key).append(meta ? "=" + std::string(as_view(meta->etag)) : std::string()).append(" ");
        return OMNISTORE_OK;
      });
      const omnistore_list_request request{sizeof request, flags, as_bytes(base), depth, 100, as_bytes(cursor), {}, {}};
      if (const omnistore_status status = functions.list(&call, &request, &page); status != OMNISTORE_OK)
        return "status " + std::to_string(status);
      cursor = page.cursor;
    } while (!cursor.empty());
    return keys;
  }
};

} // namespace plain
