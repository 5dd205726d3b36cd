// SPDX-License-Identifier: Apache-2.0
// Tokens and their scopes, the Host on a loopback listener, and browsers' origins.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <set>
#include <sstream>

#include "host.hpp"

using test::Answer;
using test::bearer;
using test::Client;
using test::Host;
using test::request;

namespace {

omnistore::Config with_tokens() {
  omnistore::Config config = test::memory_config();
  config.http.tokens = {{"reader", false, {}}, {"writer", true, {}}, {"part", true, {"mine", "a:b"}}};
  return config;
}

} // namespace

TEST_CASE("without a token, or with a wrong one, everything is 401") {
  for (const std::string &headers :
       {std::string(), bearer("wrong"), bearer(""), bearer("reade"), bearer("readerr"),
        std::string("Authorization: Basic reader\r\n"), std::string("Authorization: reader\r\n")}) {
    INFO(headers);
    Host host(with_tokens()); // a new one, since many wrong tokens would be slowed
    Client client(host.http());
    for (const char *method : {"GET", "HEAD", "PUT", "DELETE"}) {
      const Answer answer = client.ask(method, "/a", {}, headers);
      CHECK(answer.status == 401);
      CHECK(answer.header("www-authenticate").starts_with("Bearer"));
    }
    CHECK(client.ask("GET", "/", {}, headers).status == 401);
  }
}

TEST_CASE("a token that reads does not write") {
  Host host(with_tokens());
  Client client(host.http());
  CHECK(client.ask("GET", "/a", {}, bearer("reader")).status == 404);
  CHECK(client.ask("GET", "/", {}, bearer("reader")).status == 200);
  CHECK(client.ask("PUT", "/a", "x", bearer("reader")).status == 403);
  CHECK(client.ask("DELETE", "/a", {}, bearer("reader")).status == 403);
  CHECK(client.ask("DELETE", "/", {}, bearer("reader")).status == 403);
  CHECK(client.ask("PUT", "/a", "x", bearer("writer")).status == 200);
}

TEST_CASE("a token reaches only its bases, however the key is written") {
  Host host(with_tokens());
  Client client(host.http());
  for (const char *target : {"/mine/x", "/a/b/x", "/a%3Ab/x", "/mine:x", "//mine///x"}) {
    INFO(target);
    CHECK(client.ask("PUT", target, "x", bearer("part")).status == 200);
  }
  for (const char *target : {"/other", "/mine", "/minex", "/a/x", "/a/bb", "/x/mine/y", "/mine%2F..%2Fother"}) {
    INFO(target);
    const int status = client.ask("PUT", target, "x", bearer("part")).status;
    CHECK((status == 403 || status == 400));
  }
  for (const char *target : {"/mine/", "/mine/:", "/mine/deeper/", "/a/b/"}) {
    INFO(target);
    CHECK(client.ask("GET", target, {}, bearer("part")).status == 200);
    CHECK(client.ask("DELETE", target, {}, bearer("part")).status == 200);
  }
  for (const char *target : {"/", "/:", "/a/", "/min/", "/other/"}) {
    INFO(target);
    CHECK(client.ask("GET", target, {}, bearer("part")).status == 403);
    CHECK(client.ask("DELETE", target, {}, bearer("part")).status == 403);
  }
}

TEST_CASE("a refused request does not wait for its body") {
  Host host(with_tokens());
  Client client(host.http());
  client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  CHECK(client.receive().status == 401);
  CHECK(client.ended());
}

TEST_CASE("a listener that others can reach needs tokens") {
  for (const char *listen : {"0.0.0.0:0", "[::]:0"}) {
    omnistore::Config config = test::memory_config();
    config.http.listen = listen;
    CHECK_THROWS_WITH(Host(config), Catch::Contains("server.http.tokens"));
    config = test::memory_config();
    config.admin.listen = listen;
    CHECK_THROWS_WITH(Host(config), Catch::Contains("admin.tokens"));
  }
  omnistore::Config config = with_tokens();
  config.http.listen = "0.0.0.0:0";
  Host host(config);
  Client client("127.0.0.1" + host.http().substr(host.http().rfind(':')));
  CHECK(client.ask("GET", "/a", {}, bearer("reader")).status == 404);
}

TEST_CASE("a loopback listener serves only requests whose Host names it") {
  omnistore::Config config = test::memory_config();
  config.http.hosts = {"store.internal"};
  Host host(config);
  Client client(host.http());
  const auto status = [&](const std::string &name) {
    client.send("GET /a HTTP/1.1\r\nHost: " + name + "\r\n\r\n");
    return client.receive().status;
  };
  for (const char *name : {"localhost", "LOCALHOST:7700", "127.0.0.1:7700", "127.9.9.9", "[::1]:7700", "localhost.",
                           "store.internal", "store.internal:80"}) {
    INFO(name);
    CHECK(status(name) == 404);
  }
  for (const char *name : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]",
                           "store.internal.evil", "127.1", "1"}) {
    INFO(name);
    CHECK(status(name) == 421);
  }
  Client admin(host.admin());
  admin.send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  CHECK(admin.receive().status == 421);
}

TEST_CASE("A malformed Host is 400, whatever the target is") {
  Host host;
  for (const char *name : {"[::1]evil.com", "127.0.0.1:evil.com", "user@localhost", "", " ", "a b", "localhost:", "[",
                           "localhost:99999", "localhost/", "[::1%25lo]", "localhost\tx", "::1", ":80"}) {
    INFO(name);
    const bool is_good = std::string(name) == "localhost:";
    for (const char *target : {"/a", "http://localhost/a"}) {
      Client client(host.http());
      client.send(std::string("GET ") + target + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n");
      CHECK(client.receive().status == (is_good ? 404 : 400));
      Client admin(host.admin());
      admin.send("GET /health HTTP/1.1\r\nHost: " + std::string(name) + "\r\n\r\n");
      CHECK(admin.receive().status == (is_good ? 200 : 400));
    }
  }
}

TEST_CASE("A request of HTTP/1.1 needs one Host, also beside a URL as target") {
  Host host;
  const std::pair<const char *, int> cases[] = {
      {"GET http://localhost/a HTTP/1.1\r\n\r\n", 400},
      {"GET http://localhost/a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"GET /a HTTP/1.0\r\nHost: [::1]evil.com\r\n\r\n", 400},
      {"GET http://localhost:x/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET http://user@localhost/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET http://[::1]evil.com/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET http:///a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      // RFC 9112 section 3.2.2: the target's host counts, the Host is replaced by it.
      {"GET http://localhost/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 404},
      {"GET http://evil.example/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 421},
      {"GET /a HTTP/1.0\r\n\r\n", 404},
  };
  for (const auto &[message, status] : cases) {
    INFO(message);
    Client client(host.http());
    client.send(message);
    CHECK(client.receive().status == status);
  }
}

TEST_CASE("A malformed host in the config is refused by name") {
  omnistore::Config config = test::memory_config();
  config.http.hosts = {"store.internal", "[::1]x"};
  CHECK_THROWS_WITH(Host(config), Catch::Contains("server.http.hosts") && Catch::Contains("[::1]x"));
}

TEST_CASE("no origin is granted that the config does not grant") {
  Host host;
  Client client(host.http());
  host.storage.set("a", "1");
  const std::string origin = "Origin: https://app.example\r\n";
  CHECK(client.ask("GET", "/a", {}, origin).header("access-control-allow-origin") == "");
  CHECK(client.ask("PUT", "/a", "2", origin).status == 403);
  CHECK(client.ask("DELETE", "/a", {}, "Origin: null\r\n").status == 403);
  CHECK(client.ask("OPTIONS", "/a", {}, origin + "Access-Control-Request-Method: PUT\r\n").status == 403);
  CHECK(host.storage.get("a") == "1");
  CHECK(client.ask("PUT", "/a", "2", "Origin: http://localhost\r\n").status == 200); // its own
}

TEST_CASE("a granted origin has the rights of others") {
  omnistore::Config config = test::memory_config();
  config.http.origins = {"https://app.example"};
  Host host(config);
  Client client(host.http());
  const std::string origin = "Origin: https://app.example\r\n";
  const Answer preflight = client.ask("OPTIONS", "/a", {}, origin + "Access-Control-Request-Method: PUT\r\n");
  CHECK(preflight.status == 204);
  CHECK(preflight.header("access-control-allow-origin") == "https://app.example");
  CHECK(preflight.header("access-control-allow-methods").find("PUT") != std::string::npos);
  CHECK(preflight.header("access-control-allow-headers").find("X-Ttl") != std::string::npos);
  const Answer put = client.ask("PUT", "/a", "1", origin);
  CHECK(put.status == 200);
  CHECK(put.header("access-control-allow-origin") == "https://app.example");
  CHECK(client.ask("GET", "/a", {}, "Origin: https://app.example.evil\r\n").header("access-control-allow-origin") ==
        "");
  config.http.origins = {"*"};
  Host open(config);
  Client anyone(open.http());
  CHECK(anyone.ask("GET", "/a", {}, "Origin: https://x.example\r\n").header("access-control-allow-origin") == "*");
}

TEST_CASE("A granted origin may send and read each header that the API has") {
  omnistore::Config config = test::memory_config();
  config.http.origins = {"https://app.example"};
  config.http.tokens = {{"t", true, {}}};
  config.http.max_body = 100;
  Host host(config);
  omnistore::SetOptions kept;
  kept.ttl = std::chrono::hours(1);
  host.storage.set("a", "1", kept);
  host.storage.set("a$", "meta");
  host.storage.set("b", "2");
  Client client(host.http());
  const std::string origin = "Origin: https://app.example\r\n", known = origin + "Authorization: Bearer t\r\n";
  const auto names = [](const std::string &list) {
    std::set<std::string> all;
    std::istringstream in(list);
    for (std::string name; std::getline(in >> std::ws, name, ',');) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      all.insert(name);
    }
    return all;
  };
  const std::set<std::string> sent =
      names(client.ask("OPTIONS", "/a", {}, origin + "Access-Control-Request-Method: PUT\r\n")
                .header("access-control-allow-headers"));
  for (const char *name :
       {"accept", "authorization", "content-type", "content-encoding", "content-range", "if-match", "if-none-match",
        "if-modified-since", "if-unmodified-since", "if-range", "last-event-id", "range", "x-ttl", "x-user-meta"}) {
    INFO(name);
    CHECK(sent.contains(name));
  }
  // Those that every script is shown, and those that are about the message or the connection.
  const std::set<std::string> others{"cache-control", "content-length", "content-type",      "date",
                                     "connection",    "vary",           "transfer-encoding", "x-content-type-options"};
  std::set<std::string> seen;
  const std::string messages[] = {
      request("GET", "/a", {}, known + "X-User-Meta: ?\r\n"),
      request("PUT", "/a", "1", known + "X-User-Meta: YQ==\r\n"),
      request("GET", "/a", {}, known + "Range: bytes=0-0\r\n"),
      request("GET", "/a", {}, known + "Range: bytes=9-\r\n"),
      request("GET", "/a", {}, known + "If-None-Match: *\r\n"),
      request("GET", "/?limit=1", {}, known),
      request("GET", "/a", {}, origin),
      request("BREW", "/a", {}, known),
      request("OPTIONS", "/a", {}, known),
      request("POST", "/", R"({"get": ["a"]})", known),
      request("PUT", "/a", std::string(200, 'x'), known),
  };
  for (const std::string &message : messages) {
    Client each(host.http());
    each.send(message);
    const Answer answer = each.receive();
    const std::set<std::string> shown = names(answer.header("access-control-expose-headers"));
    for (const auto &[name, value] : answer.headers) {
      INFO(message << " gives " << name);
      seen.insert(name);
      CHECK((others.contains(name) || shown.contains(name) || name.starts_with("access-control-")));
    }
  }
  for (const char *name :
       {"x-user-meta", "x-ttl", "x-cursor", "link", "etag", "content-range", "www-authenticate", "allow"}) {
    INFO(name);
    CHECK(seen.contains(name));
  }
}

TEST_CASE("Each response of a listener that grants origins says that it varies by Origin") {
  omnistore::Config config = test::memory_config();
  config.http.origins = {"https://app.example"};
  config.http.idle_timeout = 50;
  config.http.max_body = 100;
  Host host(config);
  host.storage.set("a", "1");
  const std::string big(200, 'x');
  const std::string messages[] = {
      request("GET", "/a"),
      request("GET", "/a", {}, "Origin: https://app.example\r\n"),
      request("GET", "/a", {}, "Origin: https://other.example\r\n"),
      request("GET", "/a", {}, "If-None-Match: *\r\n"), // 304
      request("GET", "/a", {}, "If-Match: \"x\"\r\n"),
      request("GET", "/a", {}, "Range: bytes=9-\r\n"), // 416
      request("GET", "/absent"),
      request("GET", "/"),
      request("GET", "/?limit=1"),
      request("GET", "/a/.."),
      request("OPTIONS", "/a"),
      request("OPTIONS", "*", {}, "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n"),
      request("OPTIONS", "/a", {}, "Origin: https://other.example\r\nAccess-Control-Request-Method: PUT\r\n"),
      request("PUT", "/a", "2"),
      request("PUT", "/a", "2", "Origin: https://other.example\r\n"), // 403
      request("PUT", "/a", big),                                      // 413
      request("BREW", "/a"),
      request("POST", "/", R"({"get": ["a"]})"),
      request("DELETE", "/a"),
      request("GET", "/", {}, "Accept: text/event-stream\r\n"),
      "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET /a HTTP/1.1\r\n\r\n",
      "GET /a b HTTP/1.1\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: loc", // 408
  };
  for (const std::string &message : messages) {
    INFO(message);
    Client client(host.http());
    client.send(message);
    CHECK(client.head().headers["vary"].find("Origin") != std::string::npos);
  }
  Client admin(host.admin()); // it grants none
  CHECK(admin.ask("GET", "/health").header("vary").empty());
}

TEST_CASE("OPTIONS without an origin returns the methods") {
  Host host;
  Client client(host.http());
  for (const char *target : {"*", "/a"}) {
    const Answer answer = client.ask("OPTIONS", target);
    CHECK(answer.status == 204);
    CHECK(answer.header("allow") == "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS");
  }
}
