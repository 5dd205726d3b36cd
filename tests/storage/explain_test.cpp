// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "support/temporary.hpp"

using omnistore::Explanation;
using omnistore::Hop;
using omnistore::Status;
using omnistore::Storage;

namespace {

using Outcome = Hop::Outcome;
using Place = std::vector<std::uint32_t>;

/// Two stores seen as one at `o`; that below alone at `low`.
Storage layered(const test::Folder &folder, const std::string &options = "{}") {
  const std::string low = R"({ "driver": "fs", "options": { "base": ")" + (folder / "low") + R"(" } })";
  return test::open(R"({ "": { "driver": "memory" }, "low": )" + low + R"(,
    "o": { "driver": "overlay", "options": )" +
                    options + R"(, "layers": [ { "driver": "memory" }, )" + low + " ] } }");
}

} // namespace

TEST_CASE("explain shows the mount, its prefix and its ttl, and the key inside the store") {
  Storage storage =
      test::open(R"({ "": { "driver": "memory" }, "a": { "driver": "memory", "prefix": "v1", "ttl": "5m" } })",
                 R"("prefix": "app", )");
  storage.set("a:k", "value");
  const Explanation found = storage.explain("/a//k");
  CHECK(found.key == "a:k");
  CHECK(found.mountpoint == "a");
  CHECK(found.prefix == "v1:");
  CHECK(found.inside == "v1:k");
  CHECK(found.ttl == 300'000);
  CHECK(found.status == Status::ok);
  CHECK(found.meta.size == 5);
  CHECK(found.meta.expiry == storage.meta("a:k")->expiry);
  CHECK(found.store.driver == "memory");
  CHECK(found.store.outcome == Outcome::hit);
  CHECK(found.answered.empty());
  CHECK(storage.explain("k").inside == "app:k");
}

TEST_CASE("explain shows a miss") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  const Explanation found = storage.explain("k");
  CHECK(found.status == Status::not_found);
  CHECK(found.message.empty());
  CHECK(found.store.outcome == Outcome::miss);
  CHECK(found.meta.size == 0);
}

TEST_CASE("explain shows which layers were called, in their order, and which had the value") {
  const test::Folder folder;
  Storage storage = layered(folder);
  storage.set("low:k", "below");
  const Explanation below = storage.explain("o:k");
  REQUIRE(below.store.children.size() == 2);
  const Hop &memory = below.store.children[0], &fs = below.store.children[1];
  CHECK(below.store.driver == "overlay");
  CHECK(memory.driver == "memory");
  CHECK(memory.outcome == Outcome::miss);
  CHECK(fs.driver == "fs");
  CHECK(fs.outcome == Outcome::hit);
  CHECK(below.answered == Place{1});
  CHECK(below.store.order == 1);
  CHECK(memory.order == 2);
  CHECK(fs.order == 3);
}

TEST_CASE("explain shows the stores that were not called as such") {
  const test::Folder folder;
  Storage storage = layered(folder);
  storage.set("o:k", "above");
  const Explanation above = storage.explain("o:k");
  CHECK(above.answered == Place{0});
  CHECK(above.store.children[0].outcome == Outcome::hit);
  CHECK(above.store.children[1].outcome == Outcome::not_asked);
  CHECK(above.store.children[1].order == 0);
  CHECK(above.store.children[1].asked == 0);
}

TEST_CASE("explain's times: a layer's holds those of the stores below it") {
  const test::Folder folder;
  Storage storage = layered(folder);
  storage.set("low:k", "below");
  const Explanation found = storage.explain("o:k");
  const auto &children = found.store.children;
  CHECK(children[0].time.count() > 0);
  CHECK(children[1].time.count() > 0);
  CHECK(found.store.time >= children[0].time + children[1].time);
}

TEST_CASE("explain promotes nothing, and repeats its report") {
  const test::Folder folder;
  Storage storage = layered(folder, R"({ "promote": true })");
  storage.set("low:k", "below");
  CHECK(storage.explain("o:k").answered == Place{1});
  CHECK(storage.explain("o:k").answered == Place{1});
  storage.get("o:k");
  CHECK(storage.explain("o:k").answered == Place{0});
}

TEST_CASE("explain counts as one read, and a get beside it is not in the report") {
  const test::Folder folder;
  Storage storage = layered(folder);
  storage.set("o:k", "v");
  const Explanation first = storage.explain("o:k");
  storage.get("o:k");
  const Explanation second = storage.explain("o:k");
  CHECK(first.store.asked == 1);
  CHECK(second.store.asked == 1);
  for (const auto &mount : storage.stats())
    if (mount.mountpoint == "o") CHECK(mount.hits == 3);
}

TEST_CASE("explain shows a failure with the store's words, and the route to it") {
  const test::Folder folder;
  Storage storage = test::open(R"({ "f": { "driver": "fs", "options": { "base": ")" + (folder / "f") + R"(" } } })");
  std::filesystem::create_directories(folder.path() / "f");
  std::filesystem::create_symlink("k", folder.path() / "f" / "k"); // leads nowhere
  const Explanation found = storage.explain("f:k");
  REQUIRE(found.status != Status::ok);
  REQUIRE(found.status != Status::not_found);
  CHECK_THAT(found.message, Catch::Contains("f:k") && Catch::Contains("mount f") && Catch::Contains("driver fs"));
  CHECK(found.store.outcome == Outcome::failed);
  CHECK(found.store.message.size() > 0);
  CHECK_THAT(found.message, Catch::Contains(found.store.message));
}

TEST_CASE("explain of a layer that continues past one that fails shows both") {
  const test::Folder folder;
  const std::string bad = folder / "bad", good = folder / "good";
  std::filesystem::create_directories(bad);
  std::filesystem::create_symlink("k", std::filesystem::path(bad) / "k");
  Storage storage = test::open(R"({ "o": { "driver": "overlay", "options": { "onLayerError": "skip" }, "layers": [
    { "driver": "fs", "options": { "base": ")" +
                               bad + R"(" } }, { "driver": "fs", "options": { "base": ")" + good +
                               R"(" } } ] }, "good": { "driver": "fs", "options": { "base": ")" + good + R"(" } } })");
  storage.set("good:k", "v");
  const Explanation found = storage.explain("o:k");
  CHECK(found.status == Status::ok);
  CHECK(found.answered == Place{1});
  CHECK(found.store.children[0].outcome == Outcome::failed);
  CHECK(found.store.children[0].message.size() > 0);
  CHECK(found.store.children[1].outcome == Outcome::hit);
}

TEST_CASE("explain of a key that no open mount holds is an error, as of a get") {
  Storage storage = test::open(R"({ "a": { "driver": "memory" } })");
  CHECK(test::status_of([&] { storage.explain("b:k"); }) == Status::invalid);
  CHECK(test::status_of([&] { storage.explain(""); }) == Status::invalid);
}

TEST_CASE("explain does not show the host's own bookkeeping as a store") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  omnistore::SetOptions hour;
  hour.ttl = std::chrono::hours(1);
  storage.set("k", "value", hour);
  const Explanation found = storage.explain("k");
  CHECK(found.status == Status::ok);
  CHECK(found.store.asked == 1);
  CHECK(found.meta.size == 5);
  CHECK(found.meta.expiry > 0);
}
