// SPDX-License-Identifier: Apache-2.0
// rediss://, against a redis-server with a certificate that the test's own authority signed.
#include "driven.hpp"

#include "support/certificates.hpp"
#include "support/tls_front.hpp"

using omnistore::testing::StatusError;
using test::Authority;
using test::RedisServer;
using test::Store;

namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

std::string options_of(const RedisServer &server, const Options &options) {
  std::string text = "{" + test::option("url", server.url()) + Store::patient();
  for (const auto &option : options) text += "," + test::option(option.first, option.second);
  return text + "}";
}

/// Returns the message with which the open fails as `status`.
std::string refused(const std::string &options, omnistore_status status = OMNISTORE_DENIED) {
  try {
    Store store(options);
  } catch (const StatusError &error) {
    CHECK(error.status == status);
    return error.what();
  }
  FAIL("the store opens");
  return {};
}

bool says(const std::string &text, const std::string &part) { return text.find(part) != text.npos; }

struct Flushes : omnistore_watcher {
  std::atomic<int> resyncs = 0, updates = 0;
  Flushes() : omnistore_watcher{sizeof(omnistore_watcher), 0, nullptr} {
    event = [](omnistore_watcher *watcher, const omnistore_event *seen) {
      Flushes &self = *static_cast<Flushes *>(watcher);
      ++(seen->type == OMNISTORE_EVENT_RESYNC ? self.resyncs : self.updates);
    };
  }
};

} // namespace

TEST_CASE("values of every size go through TLS, both ways") {
  const Authority authority;
  const RedisServer server(authority.redis_arguments(), RedisServer::On::tls);
  Store store(options_of(server, {{"ca", authority.ca()}}));
  for (const std::size_t size : {std::size_t(0), std::size_t(1), std::size_t(16384), std::size_t(16 << 20)}) {
    const std::string value(size, static_cast<char>('a' + size % 7));
    CHECK(store.set("k", value) == OMNISTORE_OK);
    CHECK((store.get("k") == value));
  }
}

TEST_CASE("many threads share few TLS connections") {
  const Authority authority;
  const RedisServer server(authority.redis_arguments(), RedisServer::On::tls);
  Store store(options_of(server, {{"ca", authority.ca()}}));
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = std::to_string(t) + ":" + std::to_string(i), value(1000 * (i % 40), 'v');
        if (store.set(key, value) == OMNISTORE_OK && store.get(key) == value) ++right;
      }
    });
  for (std::thread &thread : threads) thread.join();
  CHECK(right == 400);
}

TEST_CASE("a certificate that is not trusted fails the open, and the message names the option ca") {
  const Authority authority, other;
  const RedisServer server(authority.redis_arguments(), RedisServer::On::tls);
  for (const Options &options : {Options{}, Options{{"ca", other.ca()}}}) {
    const std::string message = refused(options_of(server, options));
    INFO(message);
    CHECK(says(message, "certificate is not trusted"));
    CHECK(says(message, "set the option ca"));
  }
}

TEST_CASE("a certificate for another name fails the open, and the message names the option serverName") {
  const Authority authority;
  const RedisServer server(authority.redis_arguments(), RedisServer::On::tls);
  for (const char *wrong : {"other.test", "127.0.0.2"}) {
    const std::string message = refused(options_of(server, {{"ca", authority.ca()}, {"serverName", wrong}}));
    INFO(message);
    CHECK(says(message, std::string("is not for ") + wrong));
    CHECK(says(message, "serverName"));
  }
  Store store(options_of(server, {{"ca", authority.ca()}, {"serverName", "redis.test"}}));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
}

TEST_CASE("the name in the option serverName is sent, so that a proxy of several servers finds the right one") {
  const RedisServer server;
  const test::TlsFront front(server.port()); // its certificate is for 127.0.0.1, so the open fails after the request
  const test::Folder folder;
  test::write_file(folder / "ca.pem", front.certificate());
  const std::string url = "rediss://127.0.0.1:" + std::to_string(front.port()) + "/0";
  refused("{" + test::option("url", url) + "," + test::option("ca", folder / "ca.pem") + "," +
          test::option("serverName", "redis.test") + Store::patient() + "}");
  CHECK(test::eventually([&] { return front.requested_name() == "redis.test"; }));
}

TEST_CASE("a server that requires a client certificate gets it, and without one the message names cert and key") {
  const Authority authority, other;
  const RedisServer server(authority.redis_arguments("yes"), RedisServer::On::tls);
  const std::string message = refused(options_of(server, {{"ca", authority.ca()}}));
  INFO(message);
  CHECK(says(message, "requires a client certificate; set the options cert and key"));
  const Authority::Pair own = authority.pair("client", "DNS:client.test");
  Store store(options_of(server, {{"ca", authority.ca()}, {"cert", own.cert}, {"key", own.key}}));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
}

TEST_CASE("files that are missing or do not belong together fail the open as invalid") {
  const Authority authority;
  const Authority::Pair one = authority.pair("one", "DNS:one.test"), two = authority.pair("two", "DNS:two.test");
  const auto message = [&](const Options &options) {
    std::string text = "{" + test::option("url", "rediss://127.0.0.1:1");
    for (const auto &option : options) text += "," + test::option(option.first, option.second);
    return refused(text + "}", OMNISTORE_INVALID);
  };
  CHECK(says(message({{"ca", "/nonexistent.pem"}}), "option ca: /nonexistent.pem: No such file or directory"));
  CHECK(says(message({{"cert", one.cert}}), "option cert: cert and key belong together"));
  CHECK(says(message({{"cert", one.cert}, {"key", two.key}}), "option key: "));
  CHECK(says(refused("{" + test::option("url", "redis://127.0.0.1:1") + "," + test::option("ca", one.cert) + "}",
                     OMNISTORE_INVALID),
             "option ca: it is for TLS only"));
}

TEST_CASE("a port without TLS is named as such") {
  const RedisServer server;
  Store store("{" + test::option("url", "rediss://127.0.0.1:" + std::to_string(server.port())) + "}");
  const std::string lines = store.host.lines();
  INFO(lines);
  CHECK(says(lines, "tls-port"));
}

TEST_CASE("calls and watches connect again through TLS after the server was away") {
  const Authority authority;
  std::vector<std::string> arguments = authority.redis_arguments();
  arguments.insert(arguments.end(), {"--notify-keyspace-events", "KEA"});
  RedisServer server(arguments, RedisServer::On::tls);
  Store store(options_of(server, {{"ca", authority.ca()}}));
  Flushes watcher;
  test::Call call;
  void *watch = nullptr;
  const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes("")};
  REQUIRE(store.driver().watch(store.self(), &call, &request, &watcher, &watch) == OMNISTORE_OK);
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(test::eventually([&] { return watcher.updates == 1; }));
  server.kill();
  server.start();
  CHECK(test::eventually([&] { return store.set("k", "w") == OMNISTORE_OK; }));
  CHECK(test::eventually([&] { return watcher.resyncs > 0; }));
  const int before = watcher.updates;
  CHECK(store.set("l", "v") == OMNISTORE_OK);
  CHECK(test::eventually([&] { return watcher.updates > before; }));
  store.driver().unwatch(store.self(), watch);
}
