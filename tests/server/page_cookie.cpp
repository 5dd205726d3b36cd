// SPDX-License-Identifier: Apache-2.0
// The cookie of the admin listener's page: the origins for which it counts, and the name that drivers see.
#include <catch2/catch.hpp>

#include <string>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

constexpr const char *owner = "Authorization: Bearer owner\r\n";

omnistore::Config page_config(const std::vector<std::string> &origins = {}) {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  config.http.tokens = {{"reader", false, {}}};
  config.admin.tokens = {{"viewer", false, {}}, {"owner", true, {}}};
  config.admin.origins = origins;
  return config;
}

/// Logs in by a link. Returns the line of the Cookie header.
std::string log_in(Client &client) {
  const std::string link = client.ask("POST", "/session/link", {}, owner).body;
  const std::size_t code = link.find("#code=") + 6;
  const std::string body = R"({"code":")" + link.substr(code, link.find('"', code) - code) + "\"}";
  const std::string cookie = client.ask("POST", "/session", body).header("set-cookie");
  REQUIRE(cookie.starts_with("omnistore_"));
  return "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
}

std::string origin(const std::string &name) { return "Origin: " + name + "\r\n"; }

} // namespace

TEST_CASE("the cookie does nothing for an origin that only * grants") {
  Host host(page_config({"*"}));
  Client client(host.admin());
  const std::string cookie = log_in(client), own = origin("http://localhost"); // the Host that the client sends
  for (const std::string &other : {origin("http://evil.example"), origin("http://127.0.0.1:1"), origin("null")}) {
    INFO(other);
    const std::string with = cookie + other;
    CHECK(client.ask("GET", "/stats", {}, with).status == 401);
    CHECK(client.ask("POST", "/reload", {}, with).status == 401);
    CHECK(client.ask("PUT", "/mounts/m", R"({"driver": "memory"})", with).status == 401);
    CHECK(client.ask("POST", "/session/link", {}, with).status == 401);
    CHECK(client.ask("GET", "/data/k", {}, with).status == 401);
    CHECK(client.ask("PUT", "/data/k", "v", with).status == 401);
    CHECK(client.ask("GET", "/session", {}, with).body.find(R"("logged_in":false)") != std::string::npos);
    // Nor may such a page log the browser out, or in as somebody else.
    CHECK(client.ask("DELETE", "/session", {}, with).status == 403);
    const Answer login = client.ask("POST", "/session", R"({"token":"owner"})", with);
    CHECK(login.status == 403);
    CHECK(login.header("set-cookie").empty());
    // A token is what "*" grants the origin.
    CHECK(client.ask("GET", "/stats", {}, owner + other).status == 200);
  }
  CHECK(client.ask("GET", "/stats", {}, cookie + own).status == 200);
  CHECK(client.ask("PUT", "/data/k", "v", cookie + own).status < 300);
  CHECK(client.ask("GET", "/stats", {}, cookie).status == 200);
}

TEST_CASE("the cookie never leaves the TLS that ends at a proxy") {
  Host host(page_config({"https://panel.example"}));
  Client client(host.admin());
  for (const char *own : {"https://localhost", "HTTPS://panel.example"}) {
    INFO(own);
    const Answer login = client.ask("POST", "/session", R"({"token":"owner"})", origin(own));
    CHECK(login.status == 200);
    CHECK_THAT(login.header("set-cookie"), Catch::Contains("; Secure"));
  }
  const Answer plain = client.ask("POST", "/session", R"({"token":"owner"})", origin("http://localhost"));
  CHECK(plain.status == 200);
  CHECK_THAT(plain.header("set-cookie"), !Catch::Contains("Secure"));
}

TEST_CASE("wrong codes and wrong tokens of a login are slowed as all others are") {
  Host host(page_config({}));
  Client client(host.admin());
  const std::string body = GENERATE(R"({"code":"guess"})", R"({"token":"guess"})");
  for (int i = 0; i < 10; ++i) CHECK(client.ask("POST", "/session", body).status == 401);
  CHECK(client.ask("POST", "/session", body).status == 429);
  CHECK(client.ask("POST", "/session", R"({"token":"owner"})").status == 200);
}

TEST_CASE("the cookie counts for an origin that the config names beside *") {
  Host host(page_config({"*", "https://panel.example"}));
  Client client(host.admin());
  const std::string with = log_in(client) + origin("https://panel.example");
  CHECK(client.ask("PUT", "/data/k", "v", with).status < 300);
  CHECK(client.ask("GET", "/stats", {}, with).status == 200);
}

TEST_CASE("drivers see the page, and the place of a token in its own list") {
  Host host(page_config());
  Client client(host.admin());
  CHECK(client.ask("GET", "/data/slow/who", {}, log_in(client)).body == "|page");
  CHECK(client.ask("GET", "/data/slow/who", {}, owner).body == "|admin token 2");
  CHECK(client.ask("GET", "/data/slow/who", {}, "Authorization: Bearer reader\r\n").body == "|token 1");
}
