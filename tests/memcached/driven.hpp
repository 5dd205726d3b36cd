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
    std::string list;
    for (const MemcachedServer *server : servers) list += (list.empty() ? "\"" : "\",\"") + server->address();
    open_over(list + "\"", more);
  }
  /// The same over a port that leads to a server.
  explicit Store(std::uint16_t port) : Driven(memcached_driver()) {
    open_over("\"127.0.0.1:" + std::to_string(port) + "\"", patient());
  }
  ~Store() { close(); }

  /// Timeouts that no busy machine reaches.
  static std::string patient() { return R"(,"connectTimeout":30000,"commandTimeout":30000)"; }

private:
  void open_over(const std::string &servers, const std::string &more) {
    host.time = now_ms();
    open(host, "{\"servers\":[" + servers + "]" + more + "}");
  }
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

/// Returns what another client sees under a name.
inline std::string seen(const MemcachedServer &server, const std::string &name) {
  return server.ask("get " + name + "\r\n", "END\r\n");
}

/// A batch of sets without conditions.
inline std::vector<omnistore_status> set_all(Store &store, const std::vector<std::string> &keys,
                                             const std::vector<std::string> &values) {
  std::vector<omnistore_bytes> views;
  std::vector<omnistore_set_request> requests(keys.size());
  std::vector<const omnistore_set_request *> pointers;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    views.push_back(omnistore::as_bytes(keys[i]));
    requests[i].size = sizeof requests[i];
    requests[i].value = omnistore::as_bytes(values[i]);
    pointers.push_back(&requests[i]);
  }
  std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
  Call call;
  REQUIRE(store.driver().set_many(store.self(), &call, views.data(), static_cast<std::uint32_t>(views.size()),
                                  pointers.data(), nullptr, statuses.data()) == OMNISTORE_OK);
  return statuses;
}

} // namespace test
