// SPDX-License-Identifier: Apache-2.0
// Conditions and etags, which hold for all layers together.
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

namespace {

using Kind = omnistore::Condition::Kind;

omnistore::SetOptions only(Kind kind, std::string etag = "") {
  omnistore::SetOptions options;
  options.condition = {kind, std::move(etag)};
  return options;
}

} // namespace

TEST_CASE("conditions hold against what is seen through all layers") {
  Layers layers("{}", {"memory", "private"});
  {
    auto storage = layers.open();
    storage.set("l1:a", "below"); // beside the overlay, before it is read
  }
  auto storage = layers.open();
  CHECK_FALSE(storage.set("o:a", "new", only(Kind::if_absent)));
  const std::string etag = storage.meta("o:a")->etag;
  CHECK_FALSE(storage.set("o:a", "new", only(Kind::if_match, etag + "x")));
  CHECK(storage.set("o:a", "new", only(Kind::if_match, etag)));
  CHECK_FALSE(storage.set("o:a", "newer", only(Kind::if_match, etag)));
  CHECK(storage.meta("o:a")->etag != etag);
  CHECK(storage.set("o:a", "newer", only(Kind::if_present)));
  omnistore::RemoveOptions match;
  match.condition = {Kind::if_match, etag};
  CHECK(status_of([&] { storage.remove("o:a", match); }) == Status::conflict);
  match.condition.etag = storage.meta("o:a")->etag;
  CHECK(storage.remove("o:a", match));
  CHECK_FALSE(storage.set("o:a", "new", only(Kind::if_present)));
  CHECK(storage.set("o:a", "new", only(Kind::if_absent)));
}

TEST_CASE("the etag of a set is the one that a read gives") {
  Layers layers(R"({ "writeTo": "all" })", {"memory", "jar"});
  auto storage = layers.open();
  const std::string etag = storage.set("o:a", "value", {}, true).etag;
  CHECK_FALSE(etag.empty());
  CHECK(storage.meta("o:a")->etag == etag);
  CHECK(storage.entry("o:a")->meta.etag == etag);
}

TEST_CASE("a condition on a layer that others write, and that is not written to, is unsupported") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("o:b", "above");
  const std::string below = storage.meta("o:a")->etag, above = storage.meta("o:b")->etag;
  CHECK(status_of([&] { storage.set("o:c", "new", only(Kind::if_absent)); }) == Status::unsupported);
  std::string message;
  CHECK(status_of([&] { storage.set("o:a", "new", only(Kind::if_match, below)); }, &message) == Status::unsupported);
  CHECK_THAT(message, Catch::Contains("layer 1 (jar)"));
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.set("o:b", "new", only(Kind::if_match, above))); // nobody else can write there
  CHECK_FALSE(storage.set("o:b", "newer", only(Kind::if_match, above)));
}

TEST_CASE("of two overlays over one store that others write, one alone takes a key that is absent") {
  Layers layers(R"({ "writeTo": "all" })", {"memory", "jar"});
  auto storage = layers.open(R"(, "p": { "driver": "overlay", "options": { "writeTo": "all" }, "layers": [
                               { "driver": "memory" }, )" +
                             layers.layer(1) + "] }");
  constexpr int rounds = 2000;
  std::atomic<int> at[2] = {0, 0}, winners[rounds] = {};
  const auto take = [&](int self, const std::string &mount) {
    for (int i = 0; i < rounds; ++i) {
      at[self] = i;
      while (at[1 - self] < i) std::this_thread::yield(); // both come to a key at once
      if (storage.set(mount + ":k" + std::to_string(i), mount, only(Kind::if_absent))) ++winners[i];
    }
    at[self] = rounds;
  };
  std::thread other(take, 1, "p");
  take(0, "o");
  other.join();
  CHECK(std::all_of(std::begin(winners), std::end(winners), [](const auto &count) { return count == 1; }));
}

TEST_CASE("a condition that two stores which others write would have to decide is unsupported") {
  Layers layers(R"({ "writeTo": "all" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l0:b", "above");
  const std::string below = storage.meta("o:a")->etag, above = storage.meta("o:b")->etag;
  CHECK(status_of([&] { storage.set("o:a", "new", only(Kind::if_match, below)); }) == Status::unsupported);
  CHECK(storage.set("o:b", "new", only(Kind::if_match, above))); // the higher decides alone
  CHECK_FALSE(storage.set("o:b", "newer", only(Kind::if_match, above)));
}
