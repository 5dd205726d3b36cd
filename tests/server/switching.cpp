// SPDX-License-Identifier: Apache-2.0
// A host's config changes under load: no request fails, whatever is mounted meanwhile, and whatever is offered to it.
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <spdlog/spdlog.h>

#include "host.hpp"
#include "support/redis_server.hpp"
#include "support/temporary.hpp"

namespace {

using test::Client;
using Clock = std::chrono::steady_clock;

/// A host whose config is a file, as `omnistore serve` has it.
struct FileHost {
  explicit FileHost(const std::string &config_file)
      : file(config_file), storage(omnistore::Config::load(file)),
        reloader(storage, omnistore::Config::load(file), {[this] { return omnistore::Config::load(file); }, {}, {}}),
        server(reloader) {
    server.start();
  }
  std::string file;
  omnistore::Storage storage;
  omnistore::service::Reloader reloader;
  omnistore::service::Server server;
};

/// The results of the clients.
struct Seen {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<std::string> failures;

  void fail(const std::string &what) {
    const std::lock_guard lock(mutex);
    if (failures.size() < 10) failures.push_back(what);
  }
  bool expect(const test::Answer &answer, const std::string &what, int status, int or_status = 0) {
    ++requests;
    if (answer.status == status || answer.status == or_status) return true;
    fail(what + ": " + std::to_string(answer.status) + " " + answer.body);
    return false;
  }
};

/// Sets, gets, lists and removes keys of the mount that is switched, and holds one of another mount to its value.
void work(const std::string &address, const std::string &name, Seen &seen) {
  Client client(address);
  const std::string moving = "/moving/" + name, steady = "/steady/" + name;
  std::uint64_t round = 0;
  while (!seen.stop) {
    const std::string value = name + " " + std::to_string(++round);
    seen.expect(client.ask("PUT", steady, value), "PUT steady", 200);
    seen.expect(client.ask("PUT", moving, value), "PUT moving", 200);
    const test::Answer got = client.ask("GET", moving);
    if (seen.expect(got, "GET moving", 200, 404) && got.status == 200 && !got.body.starts_with(name + " "))
      seen.fail("GET moving: not what was ever set: " + got.body);
    const test::Answer kept = client.ask("GET", steady);
    if (seen.expect(kept, "GET steady", 200) && kept.body != value) seen.fail("GET steady: " + kept.body);
    if (round % 8 == 0) {
      const test::Answer keys = client.ask("GET", "/");
      if (seen.expect(keys, "GET keys", 200) && keys.body.find("\"steady/" + name + "\"") == std::string::npos)
        seen.fail("a listing without steady/" + name + ": " + keys.body);
      seen.expect(client.ask("DELETE", moving), "DELETE moving", 200);
    }
  }
}

struct Offer {
  const char *what;
  std::string config;
};

} // namespace

TEST_CASE("two hundred switches of a driver under load, with failed mounts in between, fail no request", "[long]") {
  spdlog::default_logger_raw()->set_level(spdlog::level::off); // bad configs are reported there
  const test::Folder folder;
  const test::RedisServer redis;
  test::write_file(folder / "plugins/broken.so", "no library");
  const auto config = [&](const std::string &moving) {
    return R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins", ")" + (folder / "plugins") + R"("] },
      "mounts": { "steady": { "driver": "memory" }, "moving": )" +
           moving + R"( },
      "server": { "http": { "listen": "127.0.0.1:0", "threads": 2 } }, "admin": { "listen": "127.0.0.1:0" } })";
  };
  const std::string stores[] = {
      R"({ "driver": "memory" })",
      R"({ "driver": "fs", "options": { "base": ")" + (folder / "data") + R"(" } })",
      R"({ "driver": "redis", "options": { "url": ")" + redis.url() + R"(" } })",
  };
  const Offer offers[] = {
      {"a config that is no JSON", "{ \"mounts\": "},
      {"an option that there is not", config(R"({ "driver": "fs", "options": { "bose": "x" } })")},
      {"a plugin that is no library", config(R"({ "driver": "broken" })")},
      {"a store that does not open", config(R"({ "driver": "fs", "options": { "base": "/dev/null/x" } })")},
  };

  const std::string file = folder / "omnistore.jsonc";
  test::write_file(file, config(stores[0]));
  FileHost host(file);
  Seen seen;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back(work, host.server.http_address(), "client-" + std::to_string(i), std::ref(seen));

  constexpr unsigned switches = 210;
  unsigned refused = 0;
  const auto began = Clock::now();
  for (unsigned i = 1; i <= switches; ++i) {
    if (i % 10 == 0) {
      const Offer &offer = offers[i / 10 % std::size(offers)];
      INFO(offer.what);
      test::write_file(file, offer.config);
      CHECK_THROWS_AS(host.reloader.reload("test"), omnistore::Error);
      ++refused;
    }
    const std::uint64_t before = seen.requests;
    test::write_file(file, config(stores[i % std::size(stores)]));
    const omnistore::report::Reload done = host.reloader.reload("test");
    CHECK(done.mounts.at(0).kind == omnistore::MountChange::Kind::replaced);
    CHECK(done.mounts.at(1).kind == omnistore::MountChange::Kind::kept);
    while (seen.requests < before + 16 && seen.failures.empty()) std::this_thread::yield(); // some on each store
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  seen.stop = true;
  for (std::thread &client : clients) client.join();
  for (const std::string &failure : seen.failures) UNSCOPED_INFO(failure);
  CHECK(seen.failures.empty());
  CHECK(refused == switches / 10);
  CHECK(host.reloader.stats().done == switches);
  CHECK(host.reloader.stats().failed == refused);
  WARN(switches << " switches in " << seconds << " s, " << static_cast<double>(seen.requests) / seconds
                << " requests a second, " << refused << " bad configs refused");
  host.server.stop(std::chrono::seconds(5));
}
