// SPDX-License-Identifier: Apache-2.0
// The built memcached plugin, opened by its C table over servers that the tests start.
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "support/driven.hpp"
#include "support/memcached_server.hpp"
#include "support/still_host.hpp"

namespace test {

inline const omnistore_driver &memcached_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/memcached.so");
  return library.driver();
}

inline std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// A store over some servers. Its host's clock stands at the time when it was opened, until a test moves it.
class Store : public Driven {
public:
  Host host;

  explicit Store(const std::vector<const MemcachedServer *> &servers, const std::string &more = patient())
      : Driven(memcached_driver()) {
    host.time = now_ms();
    std::string list;
    for (const MemcachedServer *server : servers) list += (list.empty() ? "\"" : ",\"") + server->address() + "\"";
    open(host, "{\"servers\":[" + list + "]" + more + "}");
  }
  ~Store() { close(); }

  /// Timeouts that no busy machine reaches.
  static std::string patient() { return R"(,"connectTimeout":30000,"commandTimeout":30000)"; }
};

/// A batch of gets.
struct Batch {
  std::deque<Got> got;
  std::vector<omnistore_status> statuses;
  Call call;

  Batch(Store &store, const std::vector<std::string> &keys, std::uint32_t flags = 0) {
    std::vector<omnistore_bytes> views;
    std::vector<omnistore_sink *> sinks;
    for (const std::string &key : keys) {
      views.push_back(omnistore::as_bytes(key));
      sinks.push_back(&got.emplace_back());
    }
    statuses.assign(keys.size(), OMNISTORE_INTERNAL);
    const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
    REQUIRE(store.driver().get_many(store.self(), &call, views.data(), static_cast<std::uint32_t>(views.size()),
                                    omnistore::repeated(request, views.size()).data(), sinks.data(),
                                    statuses.data()) == OMNISTORE_OK);
  }
};

} // namespace test
