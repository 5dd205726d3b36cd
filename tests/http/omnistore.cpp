// SPDX-License-Identifier: Apache-2.0
// The driver's work beyond unstorage's requests if its server is an Omnistore host: conditions, batches, clears, depth.
// The server is a running host.
#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <omnistore/testing.hpp>

#include "cli/program.hpp"
#include "support/origin.hpp"
#include "watched.hpp"

using Keys = std::vector<std::string>;
using omnistore::as_bytes;

namespace {

std::string options_for(const std::string &url) { return R"({"omnistore": true, "base": ")" + url + "\"}"; }

/// A store of the driver over a host with memory at its root.
struct Remote {
  Remote() : host(config(folder)), store(test::http_plugin(), options_for(host.url)) {}

  test::Folder folder;
  test::Host host;
  omnistore::testing::BareStore store;

private:
  static std::string config(const test::Folder &folder) {
    test::write_file(folder / "omnistore.json", R"({ "mounts": { "": { "driver": "memory" } },
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
    return folder / "omnistore.json";
  }
};

omnistore_set_request set_request(std::string_view value) {
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value);
  return request;
}

omnistore_status set_if(Remote &remote, std::string_view key, std::string_view value, std::uint32_t condition,
                        std::string_view etag = {}) {
  omnistore_set_request request = set_request(value);
  request.condition = condition;
  request.etag = as_bytes(etag);
  omnistore::testing::BareCall call;
  return remote.store.child().set(omnistore::Call(&call), key, request);
}

std::string etag_of(Remote &remote, std::string_view key) {
  omnistore::ValueSink sink;
  omnistore::testing::BareCall call;
  remote.store.child().read(omnistore::Call(&call), key, sink);
  return sink.etag;
}

std::vector<omnistore_bytes> views_of(const Keys &keys) {
  std::vector<omnistore_bytes> views;
  for (const std::string &key : keys) views.push_back(as_bytes(key));
  return views;
}

/// The values that get_many gives; a miss is "-", another failure its status.
Keys get_many(omnistore::testing::BareStore &store, const Keys &keys) {
  std::vector<std::unique_ptr<omnistore::ValueSink>> sinks;
  std::vector<omnistore_sink *> pointers;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    sinks.push_back(std::make_unique<omnistore::ValueSink>());
    pointers.push_back(sinks.back().get());
  }
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
  const auto requests = omnistore::repeated(request, keys.size());
  std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
  omnistore::testing::BareCall call;
  REQUIRE(store.child().get_many(omnistore::Call(&call), views_of(keys), requests.data(), pointers.data(),
                                 statuses.data()) == OMNISTORE_OK);
  Keys values;
  for (std::size_t i = 0; i < keys.size(); ++i)
    values.push_back(statuses[i] == OMNISTORE_OK          ? sinks[i]->bytes
                     : statuses[i] == OMNISTORE_NOT_FOUND ? "-"
                                                          : std::to_string(statuses[i]));
  return values;
}

std::vector<omnistore_status> set_many(omnistore::testing::BareStore &store, const Keys &keys, const Keys &values) {
  std::vector<omnistore_set_request> items;
  for (const std::string &value : values) items.push_back(set_request(value));
  std::vector<const omnistore_set_request *> requests;
  for (const omnistore_set_request &item : items) requests.push_back(&item);
  std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
  omnistore::testing::BareCall call;
  REQUIRE(store.child().set_many(omnistore::Call(&call), views_of(keys), requests.data(), nullptr, statuses.data()) ==
          OMNISTORE_OK);
  return statuses;
}

std::vector<omnistore_status> remove_many(omnistore::testing::BareStore &store, const Keys &keys) {
  const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {}};
  const auto requests = omnistore::repeated(request, keys.size());
  std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
  omnistore::testing::BareCall call;
  REQUIRE(store.child().remove_many(omnistore::Call(&call), views_of(keys), requests.data(), statuses.data()) ==
          OMNISTORE_OK);
  return statuses;
}

} // namespace

TEST_CASE("A host keeps the condition of a set") {
  Remote remote;
  CHECK(set_if(remote, "k", "0", OMNISTORE_IF_PRESENT) == OMNISTORE_CONFLICT);
  CHECK(set_if(remote, "k", "1", OMNISTORE_IF_ABSENT) == OMNISTORE_OK);
  CHECK(set_if(remote, "k", "2", OMNISTORE_IF_ABSENT) == OMNISTORE_CONFLICT);
  CHECK(set_if(remote, "k", "3", OMNISTORE_IF_MATCH, "another") == OMNISTORE_CONFLICT);
  CHECK(remote.store.get("k") == "1");
  CHECK(set_if(remote, "k", "4", OMNISTORE_IF_MATCH, etag_of(remote, "k")) == OMNISTORE_OK);
  CHECK(set_if(remote, "k", "5", OMNISTORE_IF_PRESENT) == OMNISTORE_OK);
  CHECK(remote.store.get("k") == "5");
}

TEST_CASE("A host keeps the condition of a remove") {
  Remote remote;
  remote.store.set("k", "1");
  const auto remove_if = [&](std::string_view etag) {
    const omnistore_remove_request request{sizeof request, 0, OMNISTORE_IF_MATCH, 0, as_bytes(etag)};
    omnistore::testing::BareCall call;
    return remote.store.child().remove(omnistore::Call(&call), "k", request);
  };
  CHECK(remove_if("another") == OMNISTORE_CONFLICT);
  CHECK(remote.store.get("k") == "1");
  CHECK(remove_if(etag_of(remote, "k")) == OMNISTORE_OK);
  CHECK(remove_if("another") == OMNISTORE_CONFLICT);
}

TEST_CASE("Batches give each item its outcome, whatever bytes its key and value have") {
  Remote remote;
  const Keys keys{"a", "grüße", "quote\"and \\back", "bytes", "empty"};
  const Keys values{"1", "schöne", "line\nend\t\"", std::string("\0\xff\x80", 3), ""};
  for (const omnistore_status status : set_many(remote.store, keys, values)) CHECK(status == OMNISTORE_OK);
  CHECK(get_many(remote.store, keys) == values);
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(remote.store.get(keys[i]) == values[i]);
  CHECK(get_many(remote.store, {"absent", "a"}) == Keys{"-", "1"});
  CHECK(remove_many(remote.store, {"a", "absent"}) == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND});
  CHECK(remote.store.get("a") == std::nullopt);
}

TEST_CASE("A batch of many items costs a few requests") {
  test::Origin origin; // counts the requests, and knows no batches
  origin.handle([](const test::Origin::Request &request) -> std::optional<test::Origin::Answer> {
    if (request.method != "POST") return {};
    test::Origin::Answer answer;
    answer.body = R"({"get":[)";
    for (std::size_t at = request.body.find("\"k"); at != request.body.npos; at = request.body.find("\"k", at + 1))
      answer.body += std::string(answer.body.ends_with('[') ? "" : ",") + R"({"status":200,"value":"x","meta":{}})";
    answer.body += "]}";
    return answer;
  });
  omnistore::testing::BareStore store(test::http_plugin(), options_for(origin.url()));
  Keys keys;
  for (int i = 0; i < 2500; ++i) keys.push_back("k" + std::to_string(i));
  CHECK(get_many(store, keys) == Keys(2500, "x"));
  CHECK(origin.count() == 3);
}

TEST_CASE("A set that is too long for a batch keeps its place among the others") {
  Remote remote;
  const std::string longer(3 << 20, 'x');
  set_many(remote.store, {"k", "k", "l", "l"}, {"1", longer, longer, "2"});
  CHECK(remote.store.get("k") == longer);
  CHECK(remote.store.get("l") == "2");
}

TEST_CASE("A server without batches is sent the items one by one") {
  test::Origin origin;
  omnistore::testing::BareStore store(test::http_plugin(), options_for(origin.url()));
  CHECK(set_many(store, {"a", "b"}, {"1", "2"}) == std::vector<omnistore_status>(2, OMNISTORE_OK));
  CHECK(origin.count("POST") == 1);
  CHECK(get_many(store, {"a", "b", "c"}) == Keys{"1", "2", "-"});
  CHECK(origin.count("POST") == 1); // it was not tried again
}

TEST_CASE("Without the option no batch is sent") {
  test::Origin origin;
  omnistore::testing::BareStore store(test::http_plugin(), R"({"base": ")" + origin.url() + "\"}");
  set_many(store, {"a", "b"}, {"1", "2"});
  CHECK(get_many(store, {"a", "b"}) == Keys{"1", "2"});
  CHECK(remove_many(store, {"a", "c"}) == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND});
  CHECK(origin.count("POST") == 0);
}

TEST_CASE("The items of a batch that a host refuses have the host's reason") {
  Remote remote;
  const std::string url = remote.host.url;
  remote.host.stop();
  omnistore::ValueSink one, two;
  omnistore_sink *sinks[] = {&one, &two};
  const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
  const auto requests = omnistore::repeated(request, 2);
  const Keys keys{"a", "b"};
  omnistore_status statuses[] = {OMNISTORE_OK, OMNISTORE_OK};
  omnistore::testing::BareCall call;
  remote.store.child().get_many(omnistore::Call(&call), views_of(keys), requests.data(), sinks, statuses);
  for (std::uint32_t i = 0; i < 2; ++i) {
    CHECK(statuses[i] == OMNISTORE_UNAVAILABLE);
    CHECK(test::says(call.messages[i], "Connection refused"));
  }
}

TEST_CASE("A clear is one request after the listing, and reports the keys") {
  Remote remote;
  for (const char *key : {"a:1", "a:b:2", "b"}) remote.store.set(key, "x");
  Keys removed;
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *) {
    removed.emplace_back(key);
    return OMNISTORE_OK;
  });
  const omnistore_clear_request request{sizeof request, 0, as_bytes("a:")};
  omnistore::testing::BareCall call;
  CHECK(remote.store.child().clear(omnistore::Call(&call), request, &page) == OMNISTORE_OK);
  std::sort(removed.begin(), removed.end());
  CHECK(removed == Keys{"a:1", "a:b:2"});
  CHECK(remote.store.keys() == Keys{"b"});
}

TEST_CASE("A clear of another server removes the keys one by one") {
  test::Origin origin;
  omnistore::testing::BareStore store(test::http_plugin(), R"({"base": ")" + origin.url() + "\"}");
  for (const char *key : {"a:1", "a:2", "b"}) store.set(key, "x");
  const omnistore_clear_request request{sizeof request, 0, as_bytes("a:")};
  omnistore::testing::BareCall call;
  CHECK(store.child().clear(omnistore::Call(&call), request, nullptr) == OMNISTORE_OK);
  CHECK(store.keys() == Keys{"b"});
}

TEST_CASE("A host lists to a depth by itself") {
  Remote remote;
  for (const char *key : {"a", "b:1", "b:c:2"}) remote.store.set(key, "x");
  Keys shallow = remote.store.list("", 100, "", 1).keys;
  std::sort(shallow.begin(), shallow.end());
  CHECK(shallow == Keys{"a", "b:1"});
}

TEST_CASE("A refused look-up has the reason that the host gives for it") {
  const test::Folder folder;
  test::write_file(folder / "omnistore.json", R"({ "mounts": { "": { "driver": "memory" } },
    "server": { "http": { "listen": "127.0.0.1:0", "tokens": [ { "value": "word" } ] } },
    "admin": { "listen": "127.0.0.1:0" } })");
  test::Host host(folder / "omnistore.json");
  omnistore::testing::BareStore store(test::http_plugin(), options_for(host.url));
  try {
    store.stat("k");
    FAIL("it was let in");
  } catch (const omnistore::testing::StatusError &refused) {
    CHECK(refused.status == OMNISTORE_DENIED);
    CHECK(test::says(refused.what(), "with 401 Unauthorized: A token is needed"));
  }
}
