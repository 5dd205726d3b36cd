// SPDX-License-Identifier: Apache-2.0
// Reading and writing through layers: each rule by its sentence.
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

namespace {

/// The keys of a layer, with those that no listing of the storage shows.
Keys files(const std::string &folder) {
  Keys names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(std::filesystem::relative(entry.path(), folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

void wait_until(std::chrono::system_clock::time_point moment) { std::this_thread::sleep_until(moment); }

} // namespace

// ----------------------------------------------------------------------------------------------------------- reading

TEST_CASE("layers are read in order, and the first hit wins") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "one");
  storage.set("l2:a", "two");
  storage.set("l2:b", "two");
  CHECK(storage.get("o:a") == "one");
  CHECK(storage.get("o:b") == "two");
  storage.set("o:a", "zero");
  CHECK(storage.get("o:a") == "zero");
  CHECK(storage.get("l1:a") == "one");
  CHECK(storage.keys("o").all() == Keys{"o:a", "o:b"});
}

TEST_CASE("a part of a value is read from the layer that has it") {
  Layers layers("{}", {GENERATE("memory", "jar", "unsized"), "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "0123456789");
  storage.set("o:b", "abcdefghij");
  storage.set("o:long", std::string(100'000, 'x'));
  omnistore::GetOptions part;
  part.offset = 2;
  part.length = 3;
  CHECK(storage.get("o:a", part) == "234");
  CHECK(storage.get("o:b", part) == "cde");
  CHECK(storage.get("o:long") == std::string(100'000, 'x'));
}

TEST_CASE("a batch reads from each layer the keys that those above do not have") {
  Layers layers("{}", {"memory", "jar", "unsized"});
  auto storage = layers.open();
  storage.set("o:a", "0");
  storage.set("l1:b", "1");
  storage.set("l2:c", "2");
  storage.set("l2:a", "hidden");
  const auto got = storage.get_many(Keys{"o:c", "o:none", "o:a", "o:b"});
  CHECK(got[0].entry.value == "2");
  CHECK(got[1].status == Status::not_found);
  CHECK(got[2].entry.value == "0");
  CHECK(got[3].entry.value == "1");
}

TEST_CASE("a value that has expired in one layer does not hide another's") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(60);
  omnistore::SetOptions brief;
  brief.ttl = std::chrono::milliseconds(40);
  storage.set("o:a", "above", brief);
  wait_until(end);
  CHECK(storage.get("o:a") == "below");
}

// ---------------------------------------------------------------------------------------------------------- removals

TEST_CASE("a removal never lets a lower layer's value reappear") {
  const std::string top = GENERATE("memory", "jar", "private", "fs");
  Layers layers("{}", {top, "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.set("o:a", "new");
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK_FALSE(storage.meta("o:a"));
  CHECK(storage.keys("o").all().empty());
  CHECK(storage.get_many(Keys{"o:a"})[0].status == Status::not_found);
  CHECK_FALSE(storage.remove("o:a"));
  CHECK(storage.clear("o") == 0);
  storage.set("o:a", "again");
  CHECK(storage.get("o:a") == "again");
  CHECK(storage.get("l1:a") == "old");
}

TEST_CASE("removals are kept across restarts if the write layer keeps values") {
  const std::string top = GENERATE("memory", "jar", "private", "unordered", "fs");
  Layers layers("{}", {top, "jar"});
  {
    auto storage = layers.open();
    for (const char *key : {"l1:a", "l1:b:1", "l1:b:2", "l1:c"}) storage.set(key, "old");
    CHECK(storage.remove("o:a"));
    CHECK(storage.clear("o:b") == 2);
  }
  auto storage = layers.open();
  const bool kept = top != "memory";
  CHECK(storage.has("o:a") != kept);
  CHECK(storage.has("o:b:1") != kept);
  CHECK(storage.keys("o").all() == (kept ? Keys{"o:c"} : Keys{"o:a", "o:b:1", "o:b:2", "o:c"}));
}

TEST_CASE("a removed key stays removed when a later value has expired") {
  Layers layers("{}", {GENERATE("memory", "fs"), "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.remove("o:a");
  const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(60);
  omnistore::SetOptions brief;
  brief.ttl = std::chrono::milliseconds(40);
  storage.set("o:a", "new", brief);
  wait_until(end);
  CHECK_FALSE(storage.get("o:a"));
}

TEST_CASE("a removal is recorded only if a lower layer has the key") {
  Layers layers("{}", {"fs", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  CHECK(storage.remove("o:a"));
  CHECK(files(layers.folder(0)).empty());
  storage.set("l1:a", "below");
  CHECK(storage.remove("o:a"));
  CHECK(files(layers.folder(0)) == Keys{"overlay$/removed/a$"});
}

TEST_CASE("a cleared base is one record, and later values are seen") {
  Layers layers("{}", {"fs", "jar"});
  auto storage = layers.open();
  for (int i = 0; i < 50; ++i) storage.set("l1:a:" + std::to_string(i), "old");
  storage.set("l1:ab", "another base");
  storage.set("o:a:1", "above");
  storage.remove("o:a:2");
  CHECK(storage.clear("o:a") == 49);
  CHECK(files(layers.folder(0)) == Keys{"overlay$/cleared/a$"});
  CHECK(storage.keys("o").all() == Keys{"o:ab"});
  storage.set("o:a:1", "new");
  CHECK(storage.get("o:a:1") == "new");
  CHECK(storage.keys("o").all() == Keys{"o:a:1", "o:ab"});
  CHECK(storage.clear("o") == 2);
  CHECK(files(layers.folder(0)) == Keys{"overlay$/cleared$"});
  CHECK(storage.keys("o").all().empty());
}

TEST_CASE("a clear of everything keeps the records of removals before it") {
  Layers layers(R"({ "writeTo": [0, 1] })", {"fs", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:a", "old");
  CHECK(storage.remove("o:a"));
  storage.remove("l2:a"); // so that there is nothing to record any more
  CHECK(storage.clear("o") == 0);
  storage.set("l2:a", "back");
  CHECK_FALSE(storage.has("o:a"));
}

TEST_CASE("records are never listed, and no user's key or meta is taken for one") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.set("o:overlay$:removed:a", "a user's");
  storage.set("o:overlay$:removed:a$", "meta of it");
  storage.set("o:overlay$:b", "a user's");
  const Keys users{"o:overlay$:b", "o:overlay$:removed:a"};
  CHECK(storage.get("o:a") == "old");
  CHECK(storage.get("o:overlay$:removed:a$") == "meta of it");
  CHECK(storage.keys("o:overlay$").all() == users);
  CHECK(storage.remove("o:a"));
  CHECK(storage.keys("o").all() == users);
  CHECK(storage.get("o:overlay$:removed:a$") == "meta of it");
  CHECK(storage.clear("o:overlay$") == 2);
  CHECK_FALSE(storage.has("o:overlay$:removed:a$"));
  CHECK_FALSE(storage.has("o:a"));
}

TEST_CASE("an overlay can be a layer of another") {
  Layers layers("{}", {"jar", "jar", "jar"});
  const std::string inner = R"({ "driver": "overlay", "layers": [)" + layers.layer(0) + "," + layers.layer(1) + "] }";
  auto open = [&] {
    return layers.open(R"(, "n": { "driver": "overlay", "layers": [)" + inner + "," + layers.layer(2) + "] }");
  };
  {
    auto storage = open();
    storage.set("l1:a", "middle");
    storage.set("l2:a", "lowest");
    CHECK(storage.get("n:a") == "middle");
    CHECK(storage.remove("n:a"));
    CHECK_FALSE(storage.has("n:a"));
    for (const auto &mount : storage.mounts()) {
      if (mount.mountpoint != "n") continue;
      CHECK(mount.store.children.size() == 2);
      CHECK(mount.store.children[0].children.size() == 2);
    }
  }
  auto storage = open();
  CHECK_FALSE(storage.has("n:a"));
  CHECK(storage.keys("n").all().empty());
}

TEST_CASE("unstorage's marker means removed, whatever layer has it") {
  const std::string kind = GENERATE("jar", "unsized", "fs");
  const int at = GENERATE(0, 1, 2);
  Layers layers("{}", {kind, kind, kind});
  auto storage = layers.open();
  for (int i = at; i < 3; ++i) storage.set("l" + std::to_string(i) + ":a", i == at ? test::removed_marker : "old");
  storage.set("l2:b", "0123456789012345678"); // as long as the marker
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK(storage.keys("o").all() == Keys{"o:b"});
  CHECK(storage.get("o:b") == "0123456789012345678");
  omnistore::GetOptions part;
  part.offset = 4;
  CHECK_FALSE(storage.get("o:a", part));
  CHECK(storage.get("o:b", part) == "456789012345678");
  CHECK(storage.get_many(Keys{"o:a", "o:b"})[0].status == Status::not_found);
  CHECK(storage.get_many(Keys{"o:a", "o:b"})[1].status == Status::ok);
  CHECK_FALSE(storage.remove("o:a"));
  storage.set("o:a", "new");
  CHECK(storage.get("o:a") == "new");
}

TEST_CASE("a value that would be taken for unstorage's marker is refused") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  CHECK(status_of([&] { storage.set("o:a", test::removed_marker); }) == Status::invalid);
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"o:a", test::removed_marker, {}}})[0].status ==
        Status::invalid);
}

// ------------------------------------------------------------------------------------------------------------ writeTo

TEST_CASE("writes go to the layers of writeTo, to all of them, and to no other") {
  Layers layers(R"({ "writeTo": [0, 2] })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  CHECK(storage.get("l0:a") == "value");
  CHECK_FALSE(storage.has("l1:a"));
  CHECK(storage.get("l2:a") == "value");
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"o:b", "value", {}}})[0].status == Status::ok);
  CHECK(storage.has("l0:b"));
  CHECK(storage.has("l2:b"));
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.has("l0:a"));
  CHECK_FALSE(storage.has("l2:a"));
}

TEST_CASE("writeTo all is every layer") {
  Layers layers(R"({ "writeTo": "all" })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  for (const char *key : {"l0:a", "l1:a", "l2:a"}) CHECK(storage.has(key));
  CHECK(storage.clear("o") == 1);
  for (const char *key : {"l0:a", "l1:a", "l2:a"}) CHECK_FALSE(storage.has(key));
}

TEST_CASE("a writeTo that names no layer says how many there are") {
  std::string message;
  const auto open_with = [&](const std::string &to) {
    Layers layers(R"({ "writeTo": )" + to + " }", {"memory", "memory"});
    return status_of([&] { layers.open(); }, &message);
  };
  CHECK(open_with("2") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("options.writeTo: 2 is no layer; there are 2, 0 to 1"));
  CHECK(open_with("[0, 7]") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("7 is no layer"));
  CHECK(open_with("[]") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("name at least one"));
  CHECK(open_with("\"some\"") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("expected an index, a list of indexes or \"all\", found \"some\""));
}

TEST_CASE("a write that only some layers took names those that did and those that did not") {
  Layers layers(R"({ "writeTo": "all" })", {"jar", "memory", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "old");
  storage.set("l0:!fail", "90");
  std::string message;
  CHECK(status_of([&] { storage.set("o:a", "new"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("layer 0 (jar): told to fail; took it: layer 2 (jar), layer 1 (memory); did not: "
                                      "layer 0 (jar)"));
  CHECK(status_of([&] { storage.remove("o:a"); }, &message) == Status::unavailable);
  const auto many = storage.set_many(std::vector<omnistore::SetItem>{{"o:b", "1", {}}, {"o:c", "2", {}}});
  CHECK(many[1].status == Status::unavailable);
  CHECK_THAT(many[1].message, Catch::Contains("took it: layer 2 (jar), layer 1 (memory)"));
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:a") == "old"); // what is seen changes with the last step
}

TEST_CASE("a write that a layer above would hide is refused") {
  Layers layers(R"({ "writeTo": 1 })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l0:a", "above");
  std::string message;
  CHECK(status_of([&] { storage.set("o:a", "new"); }, &message) == Status::read_only);
  CHECK_THAT(message, Catch::Contains("layer 0 (jar) has this key"));
  CHECK(status_of([&] { storage.remove("o:a"); }) == Status::read_only);
  CHECK(status_of([&] { storage.clear("o"); }) == Status::read_only);
  CHECK(storage.get("l0:a") == "above");
  storage.set("o:b", "new");
  CHECK(storage.get("l1:b") == "new");
}

TEST_CASE("an overlay whose write layer takes no writes takes none") {
  Folder folder;
  auto storage = open(R"({ "o": { "driver": "overlay", "layers": [
      { "driver": "fs", "options": { "base": ")" +
                      folder.path().string() + R"(", "readOnly": true } } ] } })");
  CHECK(status_of([&] { storage.set("o:a", "value"); }) == Status::read_only);
}

TEST_CASE("a new ttl for a value of a layer that is not written to goes with a copy") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  CHECK(storage.touch("o:a", std::chrono::hours(1)));
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.meta("o:a")->expiry > 0);
  CHECK(storage.meta("l1:a")->expiry == 0);
  CHECK_FALSE(storage.touch("o:none", std::chrono::hours(1)));
}

TEST_CASE("the user's meta is seen through the layers, and goes with its key") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l1:a$", R"({"by":"me"})");
  CHECK(storage.meta("o:a")->user == R"({"by":"me"})");
  CHECK(storage.remove("o:a"));
  storage.set("o:a", "new");
  CHECK(storage.meta("o:a")->user.empty());
}

// ---------------------------------------------------------------------------------------------------------- promotion

TEST_CASE("a hit from below is copied into the layers above, with the rest of its ttl") {
  Layers layers(R"({ "promote": true })", {"jar", "memory", "jar"});
  auto storage = layers.open();
  omnistore::SetOptions hour;
  hour.ttl = std::chrono::hours(1);
  storage.set("l2:a", "below", hour);
  storage.set("l2:b", "below");
  CHECK(storage.has("o:a"));
  CHECK_FALSE(storage.has("l0:a"));
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.get("l0:a") == "below");
  CHECK(storage.meta("l0:a")->expiry == storage.meta("l2:a")->expiry);
  CHECK(storage.get_many(Keys{"o:b"})[0].status == Status::ok);
  CHECK(storage.get("l0:b") == "below");
}

TEST_CASE("without promote nothing is copied") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  CHECK(storage.get("o:a") == "below");
  CHECK_FALSE(storage.has("l0:a"));
}

TEST_CASE("a write below promoted copies takes them away") {
  Layers layers(R"({ "promote": true, "writeTo": 1 })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "old");
  CHECK(storage.get("o:a") == "old");
  CHECK(storage.get("l0:a") == "old");
  storage.set("o:a", "new");
  CHECK(storage.get("o:a") == "new");
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  storage.set("o:a", "newer");
  storage.get("o:a");
  CHECK(storage.clear("o") == 1);
  CHECK_FALSE(storage.has("l0:a"));
}

TEST_CASE("a value is not promoted past a write that came in between") {
  Layers layers(R"({ "promote": true, "writeTo": 1 })", {"memory", "memory"});
  auto storage = layers.open();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) storage.get("o:a");
  });
  for (int i = 0; i < 2000; ++i) {
    const std::string value = std::to_string(i);
    storage.set("o:a", value);
    if (storage.get("o:a") != value) FAIL("an older value came back");
    storage.remove("o:a");
    if (storage.has("o:a")) FAIL("a removed value came back");
  }
  done = true;
  reader.join();
}

// ------------------------------------------------------------------------------------------------- layers that fail

TEST_CASE("onLayerError fail: a layer that fails and is reached fails the read, and is named") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "above");
  storage.set("l2:b", "below");
  storage.set("l1:!fail", "90");
  CHECK(storage.get("o:a") == "above");
  std::string message;
  CHECK(status_of([&] { storage.get("o:b"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("get o:b (mount o, driver overlay): layer 1 (jar): told to fail"));
  CHECK(status_of([&] { storage.has("o:b"); }) == Status::unavailable);
  CHECK(status_of([&] { storage.keys("o").all(); }) == Status::unavailable);
  const auto many = storage.get_many(Keys{"o:a", "o:b"});
  CHECK(many[0].status == Status::ok);
  CHECK(many[1].status == Status::unavailable);
  CHECK_THAT(many[1].message, Catch::Contains("layer 1 (jar): told to fail"));
}

TEST_CASE("onLayerError skip: a layer that fails counts as empty for a read") {
  Layers layers(R"({ "onLayerError": "skip" })", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:b", "below");
  storage.set("l1:c", "lost");
  storage.set("l1:!fail", "110");
  CHECK(storage.get("o:b") == "below");
  CHECK_FALSE(storage.has("o:c"));
  CHECK(storage.keys("o").all() == Keys{"o:b"});
  CHECK(storage.get_many(Keys{"o:b", "o:c"})[0].status == Status::ok);
  CHECK(storage.get_many(Keys{"o:b", "o:c"})[1].status == Status::not_found);
  storage.set("l1:!fail", "0");
  CHECK(storage.get("o:c") == "lost");
}

TEST_CASE("onLayerError stale: the value from below is served, and no key counts as absent") {
  Layers layers(R"({ "onLayerError": "stale" })", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:b", "below");
  storage.set("l1:!fail", "90");
  CHECK(storage.get("o:b") == "below");
  std::string message;
  CHECK(status_of([&] { storage.get("o:c"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("layer 1 (jar): told to fail"));
  CHECK(status_of([&] { storage.keys("o").all(); }) == Status::unavailable);
  const auto many = storage.get_many(Keys{"o:b", "o:c"});
  CHECK(many[0].status == Status::ok);
  CHECK(many[1].status == Status::unavailable);
}

TEST_CASE("a write needs every layer that it goes to, whatever onLayerError says") {
  Layers layers(R"({ "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l0:!fail", "90");
  CHECK(status_of([&] { storage.set("o:b", "value"); }) == Status::unavailable);
  CHECK(status_of([&] { storage.remove("o:a"); }) == Status::unavailable);
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:a") == "below");
}

TEST_CASE("a wrong request is no failure of a layer") {
  Layers layers(R"({ "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l0:!fail", "20");
  CHECK(status_of([&] { storage.get("o:a"); }) == Status::invalid);
}

TEST_CASE("a copy that a layer does not take is no failure of the read") {
  Layers layers(R"({ "promote": true, "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l0:!fail", "100");
  CHECK(storage.get("o:a") == "below");
}

TEST_CASE("an overlay over stores that never block never blocks") {
  CHECK(Layers("{}", {"memory", "memory"}).open().route("o:a").never_blocks);
  CHECK_FALSE(Layers("{}", {"memory", "fs"}).open().route("o:a").never_blocks);
}
