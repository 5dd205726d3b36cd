// SPDX-License-Identifier: Apache-2.0
// The login, the address of the server, and their traces in messages.
#include "driven.hpp"

using omnistore::testing::StatusError;
using test::RedisClient;
using test::RedisServer;
using test::Store;

namespace {

std::string url_options(const std::string &url) { return "{" + test::option("url", url) + "}"; }

/// The status and message with which the open fails; OK if it does not.
std::pair<omnistore_status, std::string> opened(const std::string &options) {
  try {
    Store store(options);
    return {OMNISTORE_OK, store.host.lines()};
  } catch (const StatusError &refused) {
    return {refused.status, refused.what()};
  }
}

} // namespace

TEST_CASE("a password lets in, a wrong one or none fails the open as denied, and none is shown") {
  RedisServer server({"--requirepass", "s@cret/1"});
  Store store(url_options(server.url(0, ":s%40cret%2F1@")));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  for (const char *login : {":wr0ng@", "", "nobody:wr0ng@"}) {
    const auto [status, message] = opened(url_options(server.url(0, login)));
    CHECK(status == OMNISTORE_DENIED);
    CHECK(message.starts_with("connect 127.0.0.1:"));
    CHECK(message.find("wr0ng") == message.npos);
  }
}

TEST_CASE("a user of the server's has its rights and no more") {
  RedisServer server;
  RedisClient other(server);
  REQUIRE(other({"ACL", "SETUSER", "reader", "on", ">pw", "~r:*", "+@read", "+select"}) == "OK");
  other({"SET", "r:k", "v"});
  Store store("{" + test::option("url", server.url(0, "reader:pw@")) + "," + test::option("base", "r") + "}");
  CHECK(store.get("k") == "v");
  CHECK(store.list() == std::vector<std::string>{"k"});
  CHECK(store.set("k", "w") == OMNISTORE_DENIED);
  CHECK(store.message().starts_with("NOPERM"));
}

TEST_CASE("the url's database is the one that is used") {
  RedisServer server;
  Store three(url_options(server.url(3))), zero(url_options(server.url()));
  three.set("k", "v");
  CHECK(zero.get("k") == std::nullopt);
  RedisClient other(server);
  other({"SELECT", "3"});
  CHECK(other({"GET", "k"}) == "v");
}

TEST_CASE("a database that the server has not fails the open") {
  RedisServer server;
  const auto [status, message] = opened(url_options(server.url(99)));
  CHECK(status == OMNISTORE_INVALID);
  CHECK(message.find("option url: the server has no database 99") != message.npos);
}

TEST_CASE("a unix socket serves like a port, with its database and password") {
  RedisServer server({"--requirepass", "pw"}, RedisServer::On::socket);
  Store store(url_options(server.url(1, ":pw@")));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(store.get("k") == "v");
  Store same("{" + test::option("url", "redis+" + server.url(1, ":pw@")) + "}");
  CHECK(same.get("k") == "v");
}

TEST_CASE("an open succeeds if the server is away, says so in the log, and works when the server has come") {
  RedisServer server;
  server.kill();
  Store store(url_options(server.url()));
  CHECK(store.host.lines().find("Connection refused") != std::string::npos);
  test::Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(store.message() == "connect 127.0.0.1:" + std::to_string(server.port()) + ": Connection refused");
  server.start();
  CHECK(test::eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("options that cannot be right fail the open as invalid") {
  for (const char *url : {"http://127.0.0.1", "redis://127.0.0.1:port", "redis://127.0.0.1/x", "unix://relative",
                          "rediss://127.0.0.1:x", "redis://u:s3cret@127.0.0.1:x"}) {
    const auto [status, message] = opened(url_options(url));
    CHECK(status == OMNISTORE_INVALID);
    CHECK(message.starts_with("option url: "));
    CHECK(message.find("s3cret") == message.npos);
  }
}
