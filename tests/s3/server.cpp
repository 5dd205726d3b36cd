// SPDX-License-Identifier: Apache-2.0
// Values, listings and batches over a real server.
#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server.hpp"

using namespace test;

namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 4099);
  return bytes;
}

std::vector<std::string> in_pieces(const std::string &bytes, std::size_t size) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

const std::string small_parts = R"(,"partSize":5242880)";

/// The keys and requests of a batch, in the form of the C table.
struct Batch {
  std::vector<std::string> names;
  std::vector<omnistore_bytes> keys;
  std::vector<omnistore_status> statuses;
  Call call;

  explicit Batch(std::vector<std::string> given) : names(std::move(given)), statuses(names.size(), OMNISTORE_INTERNAL) {
    for (const std::string &each : names) keys.push_back(omnistore::as_bytes(each));
  }
  std::uint32_t count() const { return static_cast<std::uint32_t>(keys.size()); }
  std::vector<omnistore_status> set(Driven &store, const std::vector<std::string> &values) {
    std::vector<omnistore_set_request> requests;
    for (const std::string &each : values) requests.push_back(Driven::set_request(each));
    std::vector<const omnistore_set_request *> pointers;
    for (const omnistore_set_request &each : requests) pointers.push_back(&each);
    REQUIRE(store.driver().set_many(store.self(), &call, keys.data(), count(), pointers.data(), nullptr,
                                    statuses.data()) == OMNISTORE_OK);
    return statuses;
  }
  std::vector<omnistore_status> remove(Driven &store) {
    const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {}};
    const std::vector<const omnistore_remove_request *> pointers(keys.size(), &request);
    REQUIRE(store.driver().remove_many(store.self(), &call, keys.data(), count(), pointers.data(), statuses.data()) ==
            OMNISTORE_OK);
    return statuses;
  }
  std::vector<std::string> get(Driven &store) {
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
    const std::vector<const omnistore_get_request *> pointers(keys.size(), &request);
    std::vector<Got> got(keys.size());
    std::vector<omnistore_sink *> sinks;
    for (Got &each : got) sinks.push_back(&each);
    REQUIRE(store.driver().get_many(store.self(), &call, keys.data(), count(), pointers.data(), sinks.data(),
                                    statuses.data()) == OMNISTORE_OK);
    std::vector<std::string> values;
    for (const Got &each : got) values.push_back(each.bytes);
    return values;
  }
};

std::vector<std::string> numbered(const std::string &prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

} // namespace

TEST_CASE("a key is the object whose name has slashes") {
  OverServer f;
  REQUIRE(f.store.set("a:b c:\xC3\xA9", "value") == OMNISTORE_OK);
  CHECK(curl(f.path("a/b%20c/%C3%A9")) == "value");
}

TEST_CASE("an object that curl writes is a value") {
  OverServer f;
  curl(f.path("x/y.txt"), "-X PUT --data-binary 'by curl'");
  CHECK(f.store.get("x:y.txt") == "by curl");
  CHECK(f.store.list("x:") == Keys{"x:y.txt"});
}

TEST_CASE("an object whose name stands for no key is neither shown nor removed") {
  OverServer f;
  curl(f.path("a//b"), "-X PUT --data-binary 'odd'");
  REQUIRE(f.store.set("a:b", "value") == OMNISTORE_OK);
  CHECK(f.store.list() == Keys{"a:b"});
  CHECK(f.store.clear() == OMNISTORE_OK);
  CHECK(curl(f.path("a//b")) == "odd");
}

TEST_CASE("a stream that is longer than a part goes up in parts") {
  OverServer f(small_parts);
  const std::string bytes = pattern(17'000'000);
  Pieces source(in_pieces(bytes, 1'000'003));
  REQUIRE(f.store.set("long", source) == OMNISTORE_OK);
  CHECK(f.store.get("long") == bytes);
  CHECK_THAT(f.store.etag("long"), Catch::EndsWith("-4"));
}

TEST_CASE("a stream of known size that fills its last part goes up whole") {
  OverServer f(small_parts);
  const std::string bytes = pattern(2 * 5'242'880);
  Pieces source(in_pieces(bytes, 65'536));
  REQUIRE(f.store.set("even", source, bytes.size()) == OMNISTORE_OK);
  CHECK(f.store.get("even") == bytes);
}

TEST_CASE("a range of a value that went up in parts crosses them") {
  OverServer f(small_parts);
  const std::string bytes = pattern(12'000'000);
  Pieces source(in_pieces(bytes, 1'000'000));
  REQUIRE(f.store.set("long", source) == OMNISTORE_OK);
  Got got;
  REQUIRE(f.store.get("long", got, 5'242'870, 20) == OMNISTORE_OK);
  CHECK(got.bytes == bytes.substr(5'242'870, 20));
  CHECK(got.value_size == bytes.size());
}

TEST_CASE("a stream that fails leaves no parts and no value") {
  OverServer f(small_parts);
  Pieces source(in_pieces(pattern(12'000'000), 1'000'000), OMNISTORE_CANCELLED);
  CHECK(f.store.set("long", source) == OMNISTORE_CANCELLED);
  CHECK_FALSE(f.store.get("long"));
  CHECK_THAT(curl("/bucket?uploads="), Catch::Contains("ListMultipartUploadsResult") && !Catch::Contains(f.base));
}

TEST_CASE("a store aborts old uploads under its base if an option says so") {
  OverServer f;
  curl(f.path("old") + "?uploads=", "-X POST");
  const auto is_there = [&] { return curl("/bucket?uploads=").find(f.base + "/old") != std::string::npos; };
  REQUIRE(is_there());
  Driven patient(s3_driver()), eager(s3_driver()), other(s3_driver());
  const auto options = [&](const std::string &base, const std::string &age) {
    return "{" + shared_server().options() + "," + option("base", base) + R"(,"abortUploadsAfter":)" + age + "}";
  };
  f.host.time += 3'600'000 / 6;
  patient.open(f.host, options(f.base, "3600000"));
  other.open(f.host, options(f.base + "x", "1"));
  CHECK(is_there());
  eager.open(f.host, options(f.base, "1"));
  CHECK_FALSE(is_there());
}

TEST_CASE("only one of two removals of a value removes it") {
  OverServer f;
  for (int round = 0; round < 10; ++round) {
    REQUIRE(f.store.set("a", "value") == OMNISTORE_OK);
    std::atomic<int> removed = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { removed += f.store.remove("a") == OMNISTORE_OK ? 1 : 0; });
    for (std::thread &each : threads) each.join();
    REQUIRE(removed == 1);
  }
}

TEST_CASE("a batch sets and gives its values in order") {
  OverServer f;
  const std::vector<std::string> names = numbered("k:", 40), values = numbered("value ", 40);
  CHECK(Batch(names).set(f.store, values) == std::vector<omnistore_status>(40, OMNISTORE_OK));
  CHECK(Batch(names).get(f.store) == values);
}

TEST_CASE("a batch gives a value that is too long to be kept in memory") {
  OverServer f;
  const std::string bytes = pattern(3'000'000);
  REQUIRE(f.store.set("long", bytes) == OMNISTORE_OK);
  REQUIRE(f.store.set("short", "value") == OMNISTORE_OK);
  CHECK(Batch({"short", "long", "none"}).get(f.store) == std::vector<std::string>{"value", bytes, ""});
}

TEST_CASE("the last set of a key that stands twice in a batch wins") {
  OverServer f;
  Batch({"same", "same"}).set(f.store, {pattern(8'000'000), "last"}); // the first one takes longer
  CHECK(f.store.get("same") == "last");
}

TEST_CASE("a batch removes what is there and reports what is not") {
  OverServer f;
  REQUIRE(f.store.set("a&<b>", "value") == OMNISTORE_OK);
  REQUIRE(f.store.set("c", "value") == OMNISTORE_OK);
  CHECK(Batch({"a&<b>", "none", "c"}).remove(f.store) ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK});
  CHECK(f.store.list().empty());
}

TEST_CASE("a listing and a clear go beyond a page of 1000 objects") {
  OverServer f(R"(,"maxConnections":32)");
  const std::vector<std::string> names = numbered("k:", 1100);
  Batch(names).set(f.store, names);
  const Keys listed = f.store.list("", OMNISTORE_ANY_DEPTH, 5000);
  CHECK(listed.size() == 1100);
  CHECK(std::set<std::string>(listed.begin(), listed.end()).size() == 1100);
  Page removed;
  REQUIRE(f.store.clear("", &removed) == OMNISTORE_OK);
  CHECK(removed.items.size() == 1100);
  CHECK(f.store.list().empty());
}

TEST_CASE("a listing of one level shows folders without what lies in them") {
  OverServer f;
  for (const char *key : {"a", "a:b", "a:c:d", "e:f"}) REQUIRE(f.store.set(key, "value") == OMNISTORE_OK);
  Keys listed = f.store.list("", 0, 100, OMNISTORE_LIST_FOLDERS);
  std::sort(listed.begin(), listed.end());
  CHECK(listed == Keys{"a", "a:", "e:"});
}

TEST_CASE("a value that exists is a conflict for a create") {
  OverServer f(R"(,"conditionalWrites":"create")");
  CHECK(f.store.set("a", "first", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store.set("a", "other", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("a") == "first");
  CHECK(f.store.list() == Keys{"a"}); // the probe is gone
}

TEST_CASE("a condition that the server ignores is unsupported") {
  OverServer f(R"(,"conditionalWrites":"all")" + small_parts);
  REQUIRE(f.store.set("a", "first") == OMNISTORE_OK);
  CHECK(f.store.remove("a", OMNISTORE_IF_MATCH, f.store.etag("a")) == OMNISTORE_UNSUPPORTED);
  CHECK_THAT(f.store.message(), Catch::Contains("ignores If-Match of a DELETE"));
  CHECK(f.store.get("a") == "first");
}
