// SPDX-License-Identifier: Apache-2.0
// User meta lies in the string `key$` beside the value, as unstorage has it, and belongs to one value.
#include "driven.hpp"

#include "client.hpp"

using test::Client;
using test::Got;
using test::How;
using test::shared_server;
using test::Store;

namespace {

const std::string user("\0{\"p\":1.10}\xff", 12);

How with(std::string_view text, std::int64_t expiry = 0, std::uint32_t condition = OMNISTORE_ALWAYS) {
  How how;
  how.expiry = expiry;
  how.condition = condition;
  how.user = text;
  return how;
}

} // namespace

TEST_CASE("user meta comes back with its value, byte for byte, and lies where unstorage has it") {
  Store store;
  Client other(shared_server());
  CHECK(store.set("k", "v", with(user)) == OMNISTORE_OK);
  CHECK(store.user("k") == user);
  CHECK(other({"GET", store.full("k$")}) == user);
  Got got;
  CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(got.bytes == "v");
  CHECK(got.user == user);
  Got without;
  CHECK(store.get("k", without, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(without.user.empty());
}

TEST_CASE("user meta goes with its value, however that ends") {
  Store store;
  Client other(shared_server());
  store.set("k", "1", with(user));
  SECTION("set") { store.set("k", "2"); }
  SECTION("set if present") { store.set("k", "2", with("", 0, OMNISTORE_IF_PRESENT)); }
  SECTION("removed and set") {
    CHECK(store.remove("k") == OMNISTORE_OK);
    CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
    store.set("k", "2");
  }
  SECTION("removed by another program and set if absent") {
    other({"DEL", store.full("k")});
    CHECK(store.user("k").empty());
    store.set("k", "2", with("", 0, OMNISTORE_IF_ABSENT));
  }
  SECTION("cleared and set") {
    store.clear();
    store.set("k", "2");
  }
  SECTION("replaced by another program") {
    other({"SET", store.full("k"), "2"});
    CHECK(store.user("k").empty());
    Got got;
    CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
    CHECK(got.user.empty());
    return;
  }
  CHECK(store.get("k") == "2");
  CHECK(store.user("k").empty());
  CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
}

TEST_CASE("user meta has the end of its value") {
  Store store;
  Client other(shared_server());
  const std::int64_t expiry = test::now_ms() + 3'600'000;
  store.set("k", "1", with(user, expiry));
  for (const char *key : {"k", "k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry));
  store.touch("k", expiry + 1000);
  for (const char *key : {"k", "k$", "k$$"})
    CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry + 1000));
  store.touch_user("k", "other");
  for (const char *key : {"k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry + 1000));
  CHECK(store.user("k") == "other");
  store.touch("k", 0);
  for (const char *key : {"k", "k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == "-1");
}

TEST_CASE("a touch changes user meta alone, and needs a value") {
  Store store;
  Client other(shared_server());
  CHECK(store.touch_user("k", user) == OMNISTORE_NOT_FOUND);
  CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
  store.set("k", "1");
  const std::string etag = store.etag("k");
  CHECK(store.touch_user("k", user) == OMNISTORE_OK);
  CHECK(store.user("k") == user);
  CHECK(store.etag("k") == etag);
  CHECK(store.touch_user("k", "") == OMNISTORE_OK);
  CHECK(store.user("k").empty());
  CHECK(store.get("k") == "1");
}

TEST_CASE("user meta that unstorage writes belongs to the value that is there") {
  Store store;
  Client other(shared_server());
  other({"SET", store.full("k"), "1"});
  other({"SET", store.full("k$"), R"({"n":1})"});
  CHECK(store.user("k") == R"({"n":1})");
  store.touch_user("k", "ours");
  other({"SET", store.full("k$"), R"({"n":2})"});
  CHECK(store.user("k") == R"({"n":2})");
  store.set("k", "2");
  CHECK(store.user("k").empty());
}

TEST_CASE("a set whose condition does not hold leaves value and user meta") {
  Store store;
  store.set("k", "1", with(user));
  CHECK(store.set("k", "2", with("other", 0, OMNISTORE_IF_ABSENT)) == OMNISTORE_CONFLICT);
  CHECK(store.set("k", "2", with("", 0, OMNISTORE_IF_ABSENT)) == OMNISTORE_CONFLICT);
  CHECK(store.set("none", "2", with("other", 0, OMNISTORE_IF_PRESENT)) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "1");
  CHECK(store.user("k") == user);
  CHECK(store.user("none").empty());
}
