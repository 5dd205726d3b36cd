// SPDX-License-Identifier: Apache-2.0
// The built http plugin, opened by its C table over a scripted origin.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <catch2/catch.hpp>

#include <omnistore/ext/revalidate.h>

#include "support/driven.hpp"
#include "support/origin.hpp"

namespace test {

inline const omnistore_driver &http_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/http.so");
  return library.driver();
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
  /// The extension's get_changed; `unchanged` comes beside the status.
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
    const omnistore_touch_request request{sizeof request, OMNISTORE_TOUCH_EXPIRY, expiry, {}};
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
