// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

std::vector<std::string> keys_of(const std::string &body) {
  std::vector<std::string> keys;
  const boost::json::value parsed = boost::json::parse(body);
  for (const auto &key : parsed.as_array()) keys.emplace_back(key.as_string());
  std::sort(keys.begin(), keys.end());
  return keys;
}

using Keys = std::vector<std::string>;

} // namespace

TEST_CASE("a base lists the full keys under it, with slashes") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a", "a:b", "a:c:d", "other"}) host.storage.set(key, "x");
  for (const char *target : {"/a/", "/a:", "/a/:", "//a//"}) {
    INFO(target);
    const Answer listed = client.ask("GET", target);
    CHECK(listed.status == 200);
    CHECK(listed.header("content-type") == "application/json");
    CHECK(keys_of(listed.body) == Keys{"a/b", "a/c/d"});
  }
  for (const char *target : {"/", "/:"}) CHECK(keys_of(client.ask("GET", target).body).size() == 4);
  CHECK(client.ask("GET", "/nothing/").body == "[]");
}

TEST_CASE("keys of any characters come back as they went in") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/%22%0A%E2%82%AC%7F", "x");
  const Keys keys = keys_of(client.ask("GET", "/").body);
  CHECK(keys == Keys{"\"\n\xe2\x82\xac\x7f"});
}

TEST_CASE("a depth leaves out deeper keys") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a", "a:b", "a:b:c", "a:b:c:d"}) host.storage.set(key, "x");
  CHECK(keys_of(client.ask("GET", "/?depth=0").body) == Keys{"a"});
  CHECK(keys_of(client.ask("GET", "/a/?depth=0").body) == Keys{"a/b"});
  CHECK(keys_of(client.ask("GET", "/a/?depth=1").body) == Keys{"a/b", "a/b/c"});
}

TEST_CASE("a limit gives pages that together are the whole, each key once") {
  Host host;
  Client client(host.http());
  for (int i = 0; i < 25; ++i) host.storage.set("k:" + std::to_string(i), "x");
  std::multiset<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const Answer page = client.ask("GET", "/k/?limit=7" + (cursor.empty() ? "" : "&cursor=" + cursor));
    REQUIRE(page.status == 200);
    const Keys keys = keys_of(page.body);
    CHECK(keys.size() <= 7);
    seen.insert(keys.begin(), keys.end());
    cursor = page.header("x-cursor");
    const std::string link = page.header("link");
    CHECK((cursor.empty() ? link.empty() : link == "<?limit=7&cursor=" + cursor + ">; rel=\"next\""));
    ++pages;
  } while (!cursor.empty() && pages < 100);
  CHECK(pages >= 4);
  CHECK(seen.size() == 25);
  CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 25);
}

TEST_CASE("a listing without a limit is whole however long it is") {
  Host host;
  Client client(host.http());
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) host.storage.set("k:" + std::to_string(i), "x");
  const Answer listed = client.ask("GET", "/k/");
  CHECK(listed.header("transfer-encoding") == "chunked");
  const Keys keys = keys_of(listed.body);
  CHECK(keys.size() == count);
  CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == count);
  CHECK(client.ask("GET", "/k/1").body == "x");
}

TEST_CASE("a client of HTTP/1.0 gets a listing up to the connection's end") {
  Host host;
  for (int i = 0; i < 5000; ++i) host.storage.set("k:" + std::to_string(i), "x");
  Client client(host.http());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string all = client.rest();
  CHECK(all.find("Transfer-Encoding") == std::string::npos);
  CHECK(keys_of(all.substr(all.find("\r\n\r\n") + 4)).size() == 5000);
}

TEST_CASE("parameters of a listing that make no sense are 400 and named") {
  Host host;
  Client client(host.http());
  for (const char *query :
       {"limit=0", "limit=x", "limit=100001", "limit=-1", "limit=", "depth=x", "depth=-1", "folders=x", "reverse=x"}) {
    INFO(query);
    const Answer listed = client.ask("GET", std::string("/?") + query);
    CHECK(listed.status == 400);
    CHECK(listed.body.find(std::string(query).substr(0, 5)) != std::string::npos);
  }
  CHECK(client.ask("GET", "/?limit=5&cursor=nonsense").status == 400);
}

TEST_CASE("a listing that fails on its way is cut off, so that it is not taken for whole") {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  Host host(config);
  Client client(host.http());
  client.send(test::request("GET", "/slow/breaks/"));
  const std::string all = client.rest();
  CHECK(all.find("\"slow/breaks/0\"") != std::string::npos);
  CHECK(all.find("0\r\n\r\n") == std::string::npos);
}

TEST_CASE("a base is cleared, and nothing beside it") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a", "a:b", "a:c:d", "ab"}) host.storage.set(key, "x");
  const Answer cleared = client.ask("DELETE", "/a/:");
  CHECK(cleared.status == 200);
  CHECK(cleared.body == "OK");
  CHECK(keys_of(client.ask("GET", "/").body) == Keys{"a", "ab"});
  client.ask("DELETE", "/");
  CHECK(client.ask("GET", "/").body == "[]");
}

TEST_CASE("with folders a listing shows each folder once, as a key that ends in a slash") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a", "a:b", "a:b:c", "a:d:e", "b:c"}) host.storage.set(key, "x");
  CHECK(client.ask("GET", "/?folders").body == R"(["a","a/","b/"])");
  CHECK(client.ask("GET", "/?folders=true&limit=10").body == R"(["a","a/","b/"])");
  CHECK(client.ask("GET", "/a/?folders=1").body == R"(["a/b","a/b/","a/d/"])");
  CHECK(client.ask("GET", "/?folders&depth=1").body == R"(["a","a/b","a/b/","a/d/","b/c"])");
  CHECK(client.ask("GET", "/?folders=false&depth=0").body == R"(["a"])");
}

TEST_CASE("a listing with start and end shows the keys between them, in the requested order") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a", "a:b", "a:c", "b", "c"}) host.storage.set(key, "x");
  CHECK(client.ask("GET", "/?start=a/c&end=c").body == R"(["a/c","b"])");
  CHECK(client.ask("GET", "/?start=a:c&end=c&reverse").body == R"(["b","a/c"])");
  CHECK(client.ask("GET", "/?reverse=true&limit=2").body == R"(["c","b"])");
  CHECK(client.ask("GET", "/a/?start=a%3Ac").body == R"(["a/c"])");
}

TEST_CASE("the link to the next page keeps the parameters of the listing") {
  Host host;
  Client client(host.http());
  for (const char *key : {"a:b:1", "a:c:1", "a:d&e:1", "a:f", "b"}) host.storage.set(key, "x");
  std::string query = "?folders&depth=1&reverse&start=a:c&end=a:f%26&limit=1", names;
  for (int pages = 0; !query.empty() && pages < 10; ++pages) {
    const auto answer = client.ask("GET", "/" + query);
    names += answer.body;
    const std::string link = answer.header("link");
    query = link.empty() ? "" : link.substr(1, link.find('>') - 1);
  }
  if (names.ends_with("[]")) names.resize(names.size() - 2); // the last page may be empty
  CHECK(names == R"(["a/f"]["a/d&e/"]["a/c/"])");
}
