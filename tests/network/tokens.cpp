// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "routes/token_file.hpp"
#include "server/host.hpp"
#include "support/log_lines.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using routes::Token;
using routes::TokenFile;
using test::Client;

namespace {

struct Made {
  Token token;
  std::string value;
};

Made make(const std::string &name, bool write = true, std::vector<std::string> bases = {}) {
  Made made{{.name = name, .write = write, .bases = std::move(bases)}, routes::new_token_value(name)};
  made.token.hash = routes::hash_token(made.value);
  return made;
}

/// A host whose data listener has a file of tokens.
struct TokenSetting {
  explicit TokenSetting(const std::vector<Made> &tokens) {
    put(tokens);
    config.http.token_file = path;
  }
  void put(const std::vector<Made> &tokens) const {
    std::string text = "# the clients\n\n";
    for (const Made &made : tokens) text += routes::token_line(made.token) + "\n";
    test::write_file(path, text);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
  }

  const test::Folder folder;
  const std::string path = folder / "tokens";
  Config config = test::memory_config();
};

int status_of(const std::string &address, const std::string &method, const std::string &target,
              const std::string &token) {
  return Client(address).ask(method, target, method == "PUT" ? "v" : "", test::bearer(token)).status;
}

} // namespace

TEST_CASE("a token of a file has the rights of its line") {
  const Made writer = make("writer", true, {"a"}), reader = make("reader", false);
  const TokenSetting setting({writer, reader});
  const test::Host host(setting.config);
  CHECK(status_of(host.http(), "PUT", "/a/k", writer.value) == 200);
  CHECK(status_of(host.http(), "PUT", "/b/k", writer.value) == 403);
  CHECK(status_of(host.http(), "GET", "/a/k", reader.value) == 200);
  CHECK(status_of(host.http(), "PUT", "/a/k", reader.value) == 403);
  CHECK(status_of(host.http(), "GET", "/a/k", "reader.of-another-secret") == 401);
  CHECK(status_of(host.http(), "GET", "/a/k", "nobody.of-another-secret") == 401);
  CHECK(Client(host.http()).ask("GET", "/a/k").status == 401);
}

TEST_CASE("a token is checked against its slow hash once, and not for each request") {
  const Made made = make("client");
  const TokenSetting setting({made});
  const test::Host host(setting.config);
  Client client(host.http());
  const auto time = [&](int requests) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < requests; ++i) REQUIRE(client.ask("GET", "/k", {}, test::bearer(made.value)).status == 404);
    return std::chrono::steady_clock::now() - start;
  };
  const auto first = time(1);
  // A hundred checks would take a hundred times as long.
  CHECK(time(100) < 50 * first);
}

TEST_CASE("a token that is checked delays no other connection of its thread") {
  const Made made = make("client");
  TokenSetting setting({made});
  setting.config.http.threads = 1;
  setting.config.http.tokens = {{.value = "quick", .write = true}};
  const test::Host host(setting.config);
  Client slow(host.http()), quick(host.http());
  REQUIRE(quick.ask("GET", "/k", {}, test::bearer("quick")).status == 404);
  slow.send(test::request("GET", "/k", {}, test::bearer(made.value)));
  CHECK(quick.ask("GET", "/k", {}, test::bearer("quick")).status == 404);
  CHECK_FALSE(slow.readable_within(0)); // an argon2id takes longer than a GET
  CHECK(slow.receive().status == 404);
}

TEST_CASE("a file of tokens is read again without a restart") {
  const Made old = make("old"), fresh = make("fresh");
  const TokenSetting setting({old});
  test::Host host(setting.config);
  Client kept(host.http());
  REQUIRE(kept.ask("GET", "/k", {}, test::bearer(old.value)).status == 404);
  setting.put({old, fresh});
  host.server.reload_files(setting.config);
  CHECK(status_of(host.http(), "GET", "/k", old.value) == 404);
  CHECK(status_of(host.http(), "GET", "/k", fresh.value) == 404);
  setting.put({fresh});
  host.server.reload_files(setting.config);
  CHECK(kept.ask("GET", "/k", {}, test::bearer(old.value)).status == 401);
  CHECK(status_of(host.http(), "GET", "/k", fresh.value) == 404);
}

TEST_CASE("a listener keeps its tokens if the new file cannot be used") {
  const Made made = make("client");
  const TokenSetting setting({made});
  test::Host host(setting.config);
  test::write_file(setting.path, "{\"name\": \"x\"}\n");
  const test::LogLines log(test::LogLines::info);
  host.server.reload_files(setting.config);
  CHECK(status_of(host.http(), "GET", "/k", made.value) == 404);
  CHECK(log.has_match("server.http.tokenFile: .*, line 1: hash: .*; the listener goes on with what it had"));
}

TEST_CASE("a token ends when it expires") {
  Made made = make("client");
  made.token.expires = now_ms() - 1000;
  const TokenSetting setting({made});
  const test::Host host(setting.config);
  CHECK(status_of(host.http(), "GET", "/k", made.value) == 401);
  CHECK(routes::parse_token(routes::token_line(made.token)).expires == *made.token.expires / 1000 * 1000);
}

TEST_CASE("a token in use has the rights of its line, and ends when that has another hash or has expired") {
  const Made old = make("client"), fresh = make("client");
  const TokenSetting setting({old});
  test::Host host(setting.config);
  const auto put_with = [&](const Made &made) { return status_of(host.http(), "PUT", "/k", made.value); };
  CHECK(put_with(old) == 200);
  CHECK(put_with(fresh) == 401);

  Made reader = old;
  reader.token.write = false;
  setting.put({reader});
  host.server.reload_files(setting.config);
  CHECK(put_with(old) == 403);

  setting.put({fresh});
  host.server.reload_files(setting.config);
  CHECK(put_with(old) == 401);
  CHECK(put_with(fresh) == 200); // although it was wrong before

  Made expired = fresh;
  expired.token.expires = now_ms() - 1000;
  setting.put({expired});
  host.server.reload_files(setting.config);
  CHECK(put_with(fresh) == 401);
}

TEST_CASE("a wrong value is checked against the slow hash once") {
  const TokenSetting setting({make("client")});
  const test::Host host(setting.config);
  Client client(host.http());
  const auto time = [&](int requests) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < requests; ++i)
      REQUIRE(client.ask("GET", "/k", {}, test::bearer("client.of-another-secret")).status == 401);
    return std::chrono::steady_clock::now() - start;
  };
  const auto first = time(1);
  CHECK(time(8) < 4 * first);
}

TEST_CASE(
    "many values that wait for their slow hash are refused, so that they take no more than some memory and time") {
  const TokenSetting setting({make("client")});
  const test::Host host(setting.config);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<Client>(host.http()));
    clients.back()->send(test::request("GET", "/k", {}, test::bearer("client.of-another-secret" + std::to_string(i))));
  }
  int refused = 0;
  for (const auto &client : clients) refused += client->receive().status == 503;
  CHECK(refused > 0);
}

TEST_CASE("a token file with two tokens of one name is refused") {
  const Made made = make("client");
  const TokenSetting setting({made, made});
  CHECK_THROWS_WITH(test::Host(setting.config), Contains("line 4: there is another token client before"));
}

TEST_CASE("the page's keys are read only by tokens of the admin's file that may change everything") {
  const Made owner = make("owner"), viewer = make("viewer", false), part = make("part", true, {"a"});
  TokenSetting setting({owner, viewer, part});
  setting.config.http.token_file.clear();
  setting.config.admin.token_file = setting.path;
  const test::Host host(setting.config);
  CHECK(status_of(host.admin(), "GET", "/data/a/k", owner.value) == 404);
  CHECK(status_of(host.admin(), "GET", "/data/a/k", viewer.value) == 401);
  CHECK(status_of(host.admin(), "GET", "/data/a/k", part.value) == 401);
}

TEST_CASE("a file of tokens that others can write is refused") {
  const TokenSetting setting({make("client")});
  std::filesystem::permissions(setting.path, std::filesystem::perms(0666));
  CHECK_THROWS_WITH(test::Host(setting.config), Contains("others than its owner can write it"));
}

TEST_CASE("a line of a token file that is wrong is named with its number") {
  const auto wrong =
      GENERATE(std::pair("x", "expected a JSON object"), std::pair("{\"name\": \"a b\"}", "the name of a token"),
               std::pair("{\"name\": \"a\", \"hash\": \"plain\"}", "hash: expected one"),
               std::pair("{\"nam\": \"a\"}", "there is no field of this name"));
  const test::Folder folder;
  test::write_file(folder / "tokens", std::string("\n") + wrong.first + "\n");
  CHECK_THROWS_WITH(TokenFile(folder / "tokens", "admin"), Contains("line 2: ") && Contains(wrong.second));
}

TEST_CASE("wrong tokens of a file are slowed down as all others are") {
  const TokenSetting setting({make("client")});
  const test::Host host(setting.config);
  for (int i = 0; i < 10; ++i)
    CHECK(status_of(host.http(), "GET", "/k", "nobody.of-another-secret" + std::to_string(i)) == 401);
  CHECK(status_of(host.http(), "GET", "/k", "client.of-another-secret") == 429);
}

TEST_CASE("a browser logs in to the page by a token of a file") {
  const Made made = make("person");
  TokenSetting setting({made});
  setting.config.admin.token_file = setting.path;
  const test::Host host(setting.config);
  Client browser(host.admin());
  const std::string headers = "Origin: http://localhost\r\n";
  const test::Answer wrong = browser.ask("POST", "/session", R"({"token": "person.of-another-secret"})", headers);
  CHECK(wrong.status == 401);
  const test::Answer right = browser.ask("POST", "/session", "{\"token\": \"" + made.value + "\"}", headers);
  REQUIRE(right.status == 200);
  const std::string cookie = right.header("set-cookie");
  const std::string with = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  CHECK_THAT(browser.ask("GET", "/session", {}, with).body, Contains("\"admin\":\"change\""));
  CHECK(browser.ask("GET", "/data/k", {}, with).status == 404);
}
