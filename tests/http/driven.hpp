// SPDX-License-Identifier: Apache-2.0
// The built http plugin, opened by its C table over a scripted origin.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <omnistore/ext/revalidate.h>
#include <omnistore/testing.hpp>

#include "support/origin.hpp"

namespace test {

using Call = omnistore::testing::BareCall;
using omnistore::testing::Refused;

inline const omnistore_driver &http_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/http.so");
  return library.driver();
}

/// "name":"text", for options.
inline std::string option(const std::string &name, const std::string &text) {
  return "\"" + name + "\":\"" + text + "\"";
}

inline bool says(const std::string &text, const std::string &part) { return text.find(part) != text.npos; }

/// A call whose time is up at a moment, or once somebody says so.
struct TimedCall : Call {
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  std::function<bool()> cancelled = [] { return false; };

  TimedCall() {
    remaining = [](const omnistore_call *call) -> std::int64_t {
      const auto &self = *static_cast<const TimedCall *>(call);
      if (self.cancelled()) return 0;
      if (self.deadline == std::chrono::steady_clock::time_point::max())
        return std::numeric_limits<std::int64_t>::max();
      const auto rest = self.deadline - std::chrono::steady_clock::now();
      return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(rest).count());
    };
  }
};

/// What a get or stat gave, and how.
struct Got : omnistore_sink {
  std::string bytes, etag;
  std::uint64_t value_size = 0;
  std::int64_t mtime = 0, expiry = 0;
  int begun = 0, written = 0;
  std::function<omnistore_status()> on_write = [] { return OMNISTORE_OK; };

  Got() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr} {
    begin = [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
      Got &got = *static_cast<Got *>(sink);
      ++got.begun;
      got.value_size = meta->value_size, got.mtime = meta->mtime, got.expiry = meta->expiry;
      got.etag = omnistore::as_view(meta->etag);
      if (buffer) *buffer = nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, std::uint64_t count) {
      Got &got = *static_cast<Got *>(sink);
      ++got.written;
      got.bytes.append(static_cast<const char *>(data), count);
      return got.on_write();
    };
  }
  Got(const Got &) = delete;
  Got &operator=(const Got &) = delete;
};

/// A source of pieces; it fails in the end where that is asked for.
struct Pieces : omnistore_source {
  std::vector<std::string> pieces;
  omnistore_status end;
  std::size_t next = 0, at = 0;

  explicit Pieces(std::vector<std::string> given, omnistore_status at_end = OMNISTORE_OK)
      : omnistore_source{sizeof(omnistore_source), 0, nullptr}, pieces(std::move(given)), end(at_end) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t capacity, std::uint64_t *count) {
      Pieces &self = *static_cast<Pieces *>(source);
      *count = 0;
      if (self.next == self.pieces.size()) return self.end;
      const std::string &piece = self.pieces[self.next];
      *count = piece.copy(static_cast<char *>(buffer), static_cast<std::size_t>(capacity), self.at);
      self.at += static_cast<std::size_t>(*count);
      if (self.at == piece.size()) ++self.next, self.at = 0;
      return OMNISTORE_OK;
    };
  }
};

/// A store of the driver, opened with an origin's url and further options. Any thread.
class Store {
public:
  explicit Store(const std::string &base, const std::string &more = "")
      : bare(http_driver(), "{" + option("base", base) + (more.empty() ? "" : "," + more) + "}") {}
  explicit Store(const Origin &origin, const std::string &more = "") : Store(origin.url(), more) {}

  omnistore::testing::BareStore bare;

  omnistore_status get(std::string_view key, Got &into, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    Call call;
    return get(call, key, into, offset, length);
  }
  omnistore_status get(Call &call, std::string_view key, Got &into, std::uint64_t offset = 0,
                       std::uint64_t length = UINT64_MAX) {
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, offset, length};
    return kept(call, bare.child().get(omnistore::Call(&call), key, request, into));
  }
  omnistore_status stat(std::string_view key, Got &into) {
    Call call;
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
    return kept(call, bare.child().stat(omnistore::Call(&call), key, request, into));
  }
  /// The extension's get_changed; `unchanged` is told beside the status.
  std::pair<omnistore_status, bool> get_changed(std::string_view key, std::string_view etag, Got &into) {
    const omnistore_store &store = *bare.raw();
    const auto *table =
        static_cast<const omnistore_revalidate *>(store.driver->extension(store.self, OMNISTORE_REVALIDATE));
    REQUIRE(table);
    Call call;
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
    std::uint32_t unchanged = 7;
    const auto status = table->get_changed(store.self, &call, omnistore::as_bytes(key), &request,
                                           omnistore::as_bytes(etag), &into, &unchanged);
    return {kept(call, status), unchanged == 1};
  }
  omnistore_status set(std::string_view key, std::string_view value, omnistore_sink *result = nullptr,
                       std::int64_t expiry = 0) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = omnistore::as_bytes(value);
    request.expiry = expiry;
    Call call;
    return kept(call, bare.child().set(omnistore::Call(&call), key, request, result));
  }
  omnistore_status set(std::string_view key, omnistore_source &source, std::uint64_t size) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.source = &source;
    request.source_size = size;
    Call call;
    return kept(call, bare.child().set(omnistore::Call(&call), key, request));
  }
  omnistore_status remove(std::string_view key) {
    Call call;
    return kept(call, bare.child().remove(omnistore::Call(&call), key));
  }

  omnistore_status touch(std::string_view key, std::int64_t expiry) {
    Call call;
    const omnistore_touch_request request{sizeof request, 0, expiry};
    return kept(call, bare.child().touch(omnistore::Call(&call), key, request));
  }

  /// The message of the last call that failed.
  const std::string &message() const { return message_; }

private:
  omnistore_status kept(const Call &call, omnistore_status status) {
    message_ = call.message();
    return status;
  }
  std::string message_;
};

} // namespace test
