// SPDX-License-Identifier: Apache-2.0
// A storage that reloads: the mounts that stay and go, and that it is all or nothing.
#include <filesystem>
#include <future>

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "loader/registry.hpp"
#include "support/temporary.hpp"

using omnistore::Config;
using omnistore::MountChange;
using omnistore::Status;
using omnistore::Storage;

namespace {

Config config(const std::string &mounts, const std::string &rest = "", const std::string &plugins = "") {
  const std::string paths =
      plugins.empty() ? OMNISTORE_BUILD "/plugins\", \"" OMNISTORE_BUILD "/tests/plugins" : plugins;
  return Config::parse(R"({ "plugins": { "paths": [")" + paths + R"("] }, )" + rest + R"("mounts": )" + mounts + "}",
                       "test.jsonc");
}

/// "kept root", "replaced a (driver memory -> bare)"
std::vector<std::string> texts(const std::vector<MountChange> &changes) {
  constexpr const char *names[] = {"added", "kept", "replaced", "removed"};
  std::vector<std::string> all;
  for (const MountChange &change : changes)
    all.push_back(std::string(names[static_cast<int>(change.kind)]) + " " +
                  (change.mountpoint.empty() ? "root" : change.mountpoint) +
                  (change.details.empty() ? "" : " (" + change.details + ")"));
  return all;
}
using Texts = std::vector<std::string>;

const char *const before = R"({ "": { "driver": "memory" }, "a": { "driver": "memory" }, "b": { "driver": "bare" } })";
const char *const after = R"({ "": { "driver": "memory" }, "a": { "driver": "bare" }, "c": { "driver": "memory" } })";

} // namespace

TEST_CASE("a reload keeps unchanged mounts with their values, and adds, replaces and removes the rest") {
  Storage storage(config(before));
  for (const char *key : {"x", "a:x", "b:x"}) storage.set(key, "old");
  const Texts expected{"kept root", "replaced a (driver memory -> bare)", "removed b", "added c"};
  CHECK(texts(storage.diff(config(after))) == expected);
  CHECK(storage.get("a:x") == "old"); // a diff changes nothing
  CHECK(texts(storage.reload(config(after))) == expected);
  CHECK(storage.get("x") == "old");
  CHECK_FALSE(storage.get("a:x"));
  storage.set("c:x", "new");
  CHECK_FALSE(storage.get("b:x")); // a key of the root's now
  CHECK(storage.stats().size() == 3);
}

TEST_CASE("a reload of the same config changes nothing, whatever order its options stand in") {
  Storage storage(config(R"({ "": { "driver": "memory", "options": { "size": 10, "maxBytes": "1MiB" } } })"));
  storage.set("x", "1");
  const auto changes =
      storage.reload(config(R"({ "": { "options": { "maxBytes": 1048576, "size": 10 }, "driver": "memory" } })"));
  CHECK(texts(changes) == Texts{"kept root"});
  CHECK_FALSE(changes[0].changed);
  CHECK(storage.get("x") == "1");
  CHECK(storage.stats()[0].writes == 1); // its counters continue
}

TEST_CASE("an option that changes replaces the store, and is named, but not its value") {
  Storage storage(config(R"({ "": { "driver": "memory", "options": { "size": 10 } } })"));
  CHECK(texts(storage.diff(config(R"({ "": { "driver": "memory", "options": { "size": 4242 } } })"))) ==
        Texts{"replaced root (options size)"});
  CHECK(texts(storage.diff(config(R"({ "": { "driver": "memory" } })"))) == Texts{"replaced root (options size)"});
}

TEST_CASE("a layer that changes is named with its place") {
  Storage storage(config(R"({ "": { "driver": "memory" } })"));
  const char *const two =
      R"({ "o": { "driver": "overlay", "layers": [ { "driver": "memory" }, { "driver": "memory" } ] } })";
  const char *const other =
      R"({ "o": { "driver": "overlay", "layers": [ { "driver": "memory" }, { "driver": "bare" } ] } })";
  storage.reload(config(two));
  CHECK(texts(storage.diff(config(other))) == Texts{"replaced o (layer 1: driver memory -> bare)"});
}

TEST_CASE("ttl, prefix and read-only change around a store that stays open") {
  Storage storage(config(R"({ "": { "driver": "memory" } })"));
  storage.set("x", "1");
  CHECK(texts(storage.reload(config(R"({ "": { "driver": "memory", "readOnly": true } })", R"("ttl": "1h", )"))) ==
        Texts{"kept root (ttl never -> 1h, becomes read-only)"});
  CHECK(storage.get("x") == "1");
  CHECK(test::status_of([&] { storage.set("y", "1"); }) == Status::read_only);
  storage.reload(config(R"({ "": { "driver": "memory" } })", R"("prefix": "app", )"));
  CHECK_FALSE(storage.get("x"));
  storage.set("x", "2");
  storage.reload(config(R"({ "": { "driver": "memory" } })"));
  CHECK(storage.get("x") == "1");
  CHECK(storage.get("app:x") == "2");
}

TEST_CASE("if one store does not open, none is changed, and the reason is reported") {
  Storage storage(config(before));
  storage.set("a:x", "old");
  std::string message;
  const std::string broken = R"({ "": { "driver": "memory" }, "a": { "driver": "bare" },
    "z": { "driver": "bare", "options": { "failOpen": "no such backend" } } })";
  CHECK(test::status_of([&] { storage.reload(config(broken)); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("mount z") && Catch::Contains("no such backend"));
  CHECK(storage.get("a:x") == "old");
  CHECK(storage.mounts().size() == 3);
  CHECK(test::status_of([&] { storage.reload(config(R"({ "": { "driver": "no-such" } })")); }) == Status::invalid);
  CHECK(test::status_of([&] {
          storage.reload(config(R"({ "": { "driver": "memory", "options": { "sise": 1 } } })"));
        }) == Status::invalid);
  CHECK(storage.get("a:x") == "old");
}

TEST_CASE("an optional mount may stay closed if it is new, and is no reason to close one that works") {
  Storage storage(config(R"({ "a": { "driver": "memory" } })"));
  storage.set("a:x", "1");
  const std::string bad = R"({ "driver": "bare", "options": { "failOpen": "not today" }, "optional": true })";
  storage.reload(config(R"({ "a": { "driver": "memory" }, "b": )" + bad + "}"));
  REQUIRE(storage.mounts().size() == 2);
  CHECK_FALSE(storage.mounts()[1].available);
  CHECK(test::status_of([&] { storage.reload(config(R"({ "a": )" + bad + "}")); }) == Status::unavailable);
  CHECK(storage.get("a:x") == "1");
  // It is tried again with each reload.
  CHECK(texts(storage.reload(
            config(R"({ "a": { "driver": "memory" }, "b": { "driver": "bare", "optional": true } })"))) ==
        Texts{"kept a", "replaced b (it could not be opened before)"});
  CHECK(storage.mounts()[1].available);
}

TEST_CASE("a mount made at run time stays, until the config has a mount there itself") {
  Storage storage(config(R"({ "": { "driver": "memory" } })"));
  omnistore::MountConfig scratch;
  scratch.store.driver = "memory";
  storage.mount("scratch", scratch);
  storage.set("scratch:x", "1");
  CHECK(texts(storage.reload(config(R"({ "": { "driver": "memory" } })")))[1].starts_with("kept scratch (mounted"));
  CHECK(storage.get("scratch:x") == "1");
  CHECK(storage.mounts()[1].runtime);
  // The same store, now the config's: it stays, and goes when the config no longer has it.
  CHECK(texts(storage.reload(config(R"({ "": { "driver": "memory" }, "scratch": { "driver": "memory" } })"))) ==
        Texts{"kept root", "kept scratch"});
  CHECK(storage.get("scratch:x") == "1");
  CHECK_FALSE(storage.mounts()[1].runtime);
  CHECK(texts(storage.reload(config(R"({ "": { "driver": "memory" } })"))) == Texts{"kept root", "removed scratch"});
}

TEST_CASE("an operation in flight finishes on the old store, while new ones are on the new one") {
  Storage storage(config(R"({ "a": { "driver": "bare" } })"));
  storage.set("a:x", "old");
  test::SlowReader slow;
  auto reading = std::async(std::launch::async, [&] { return storage.read("a:x", slow); });
  slow.await_begin();
  storage.reload(config(R"({ "a": { "driver": "memory" } })")); // does not wait for it
  CHECK_FALSE(storage.get("a:x"));
  storage.reload(config(R"({ "a": { "driver": "bare" } })")); // nor for two
  storage.set("a:x", "new");
  slow.let_go();
  CHECK(reading.get());
  CHECK(slow.value == "old");
  CHECK(storage.get("a:x") == "new");
}

TEST_CASE("a watch of a mount that a reload changes gets a resync, and others continue") {
  Storage storage(config(before));
  test::Events changed, kept;
  const auto one = storage.watch("a", changed.callback()), other = storage.watch("k", kept.callback());
  storage.reload(config(after));
  storage.set("a:x", "");
  storage.set("k", "");
  const auto events = changed.wait_for(2);
  CHECK(events[0].type == omnistore::Event::Type::resync);
  CHECK(events[1].key == "a:x");
  CHECK(kept.wait_for(1)[0].key == "k");
}

TEST_CASE("a plugin file that was replaced is another driver, and the others are kept") {
  const test::Folder folder;
  const std::filesystem::path memory = OMNISTORE_BUILD "/plugins/memory.so",
                              bare = OMNISTORE_BUILD "/tests/plugins/bare.so";
  std::filesystem::copy(memory, folder / "memory.so");
  std::filesystem::copy(bare, folder / "bare.so");
  const char *const mounts = R"({ "": { "driver": "memory" }, "a": { "driver": "bare" } })";
  Storage storage(config(mounts, "", folder.path()));
  storage.set("x", "1");
  storage.set("a:x", "1");
  CHECK(texts(storage.reload(config(mounts, "", folder.path()))) == Texts{"kept root", "kept a"});
  // A byte after the end makes it another file that does the same.
  test::write_file(folder / "new", test::read_file(bare) + "\n");
  std::filesystem::rename(folder / "new", folder / "bare.so");
  CHECK(texts(storage.reload(config(mounts, "", folder.path()))) ==
        Texts{"kept root", "replaced a (bare 1.0.0 -> 1.0.0, plugin file " + std::string(folder / "bare.so") + ")"});
  CHECK(storage.get("x") == "1");
  CHECK_FALSE(storage.get("a:x"));
  // One that cannot be loaded changes nothing.
  storage.set("a:x", "2");
  test::write_file(folder / "bad", "no library");
  std::filesystem::rename(folder / "bad", folder / "bare.so");
  std::string message;
  CHECK(test::status_of([&] { storage.reload(config(mounts, "", folder.path())); }, &message) == Status::invalid);
  CHECK_THAT(message, Catch::Contains("bare.so"));
  CHECK(storage.get("a:x") == "2");
}

TEST_CASE("a runtime mount loads a replaced plugin file when it is mounted again or the config is reloaded") {
  const test::Folder folder;
  const std::filesystem::path bare = OMNISTORE_BUILD "/tests/plugins/bare.so";
  std::filesystem::copy(bare, folder / "bare.so");
  std::filesystem::copy(OMNISTORE_BUILD "/plugins/memory.so", folder / "memory.so");
  const char *const mounts = R"({ "": { "driver": "memory" } })";
  Storage storage(config(mounts, "", folder.path()));
  omnistore::MountConfig mount;
  mount.store.driver = "bare";
  storage.mount("r", mount);
  const auto replace = [&](const std::string &content) {
    test::write_file(folder / "new", content);
    std::filesystem::rename(folder / "new", folder / "bare.so");
  };
  const auto code = [&] { return storage.plugins()->find("bare"); };

  const auto first = code();
  replace(test::read_file(bare) + "\n");
  storage.mount("r", mount);
  const auto second = code();
  CHECK(second != first);

  replace(test::read_file(bare) + "\n\n");
  CHECK(texts(storage.reload(config(mounts, "", folder.path()))) ==
        Texts{"kept root", "replaced r (bare 1.0.0 -> 1.0.0, plugin file " + std::string(folder / "bare.so") + ")"});
  CHECK(code() != second);
  CHECK(texts(storage.reload(config(mounts, "", folder.path()))) ==
        Texts{"kept root", "kept r (mounted while the host ran; the config does not name it)"});

  // One that cannot be used changes nothing.
  storage.set("r:k", "1");
  replace("no library");
  storage.reload(config(mounts, "", folder.path()));
  CHECK(storage.get("r:k") == "1");
}
