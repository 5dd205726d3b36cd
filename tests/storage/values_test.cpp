// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "base/clock.hpp"
#include "fixture.hpp"
#include "support/temporary.hpp"

using omnistore::Condition;
using omnistore::GetOptions;
using omnistore::RemoveOptions;
using omnistore::SetOptions;
using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;

namespace {

/// Each property holds over a driver that does it natively and over one that leaves it to the host.
const std::string native = R"({ "": { "driver": "memory" } })";
const std::string emulated = R"({ "": { "driver": "bare", "options": { "etags": true } } })";
const std::string kept = R"({ "": { "driver": "bare", "options": { "etags": true, "keeps": true } } })";

SetOptions living(std::chrono::milliseconds ttl) {
  SetOptions options;
  options.ttl = ttl;
  return options;
}
SetOptions when(Condition::Kind kind, std::string etag = {}) {
  SetOptions options;
  options.condition = {kind, std::move(etag)};
  return options;
}

} // namespace

TEST_CASE("a value comes back as the bytes that were set") {
  const std::string bytes("\0\xff\n\r binary", 11);
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", bytes);
    CHECK(storage.get("k") == bytes);
    CHECK(storage.has("k"));
    CHECK(storage.meta("k")->size == bytes.size());
  }
}

TEST_CASE("an empty value is a value, and a miss is none") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "");
    CHECK(storage.get("k") == "");
    CHECK(storage.get("l") == std::nullopt);
    CHECK_FALSE(storage.has("l"));
    CHECK(storage.meta("l") == std::nullopt);
  }
}

TEST_CASE("a part of a value is its bytes in the range") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "0123456789");
    auto part = [&](std::uint64_t offset, std::uint64_t length) {
      GetOptions options;
      options.offset = offset;
      options.length = length;
      return storage.get("k", options);
    };
    CHECK(part(0, 4) == "0123");
    CHECK(part(7, 100) == "789");
    CHECK(part(3, UINT64_MAX) == "3456789");
    CHECK(part(10, 5) == "");
    CHECK(part(99, 5) == "");
    CHECK(part(2, 0) == "");
  }
}

TEST_CASE("a Reader gets the whole value's size, also of a part") {
  struct Part : omnistore::Reader {
    std::string text;
    std::uint64_t size = 0;
    char *begin(const omnistore::Meta &meta) override {
      size = meta.size;
      text.resize(3);
      return text.data();
    }
    void write(std::string_view) override { throw std::logic_error("there was room"); }
  };
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "0123456789");
    Part part;
    GetOptions options;
    options.offset = 2;
    options.length = 3;
    CHECK(storage.read("k", part, options));
    CHECK(part.text == "234");
    CHECK(part.size == 10);
    CHECK_FALSE(storage.read("l", part));
  }
}

TEST_CASE("an exception of a Reader comes out of read") {
  struct Throws : omnistore::Reader {
    char *begin(const omnistore::Meta &) override { throw std::range_error("enough"); }
    void write(std::string_view) override {}
  } reader;
  Storage storage = test::open(native);
  storage.set("k", "v");
  CHECK_THROWS_AS(storage.read("k", reader), std::range_error);
}

TEST_CASE("a value past its ttl is not returned, listed, counted or found") {
  for (const auto &mounts : {native, emulated, kept}) {
    Storage storage = test::open(mounts);
    storage.set("brief", "1", living(5min));
    storage.set("long", "2", living(24h));
    storage.set("ever", "3");
    CHECK(storage.get("brief") == "1");
    omnistore::advance_clock(300'001);
    CHECK(storage.keys().all() == std::vector<std::string>{"ever", "long"});
    CHECK(storage.get("brief") == std::nullopt);
    CHECK_FALSE(storage.has("brief"));
    CHECK(storage.meta("brief") == std::nullopt);
    CHECK_FALSE(storage.remove("brief"));
    CHECK(storage.get("long") == "2");
    CHECK(storage.get("ever") == "3");
  }
}

TEST_CASE("meta shows when a value ends") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "1", living(1h));
    const auto left = storage.meta("k")->expiry - omnistore::now_ms();
    CHECK(left > 3590'000);
    CHECK(left <= 3600'000);
    CHECK(storage.entry("k")->meta.expiry == storage.meta("k")->expiry);
  }
}

TEST_CASE("a set without ttl takes an older one's away") {
  for (const auto &mounts : {native, emulated, kept}) {
    Storage storage = test::open(mounts);
    storage.set("k", "1", living(1min));
    storage.set("k", "2");
    omnistore::advance_clock(120'000);
    CHECK(storage.get("k") == "2");
    CHECK(storage.meta("k")->expiry == 0);
  }
}

TEST_CASE("a value set over an expired one lives") {
  for (const auto &mounts : {native, emulated, kept}) {
    Storage storage = test::open(mounts);
    storage.set("k", "1", living(1min));
    omnistore::advance_clock(120'000);
    storage.set("k", "2");
    CHECK(storage.get("k") == "2");
  }
}

TEST_CASE("an item's ttl comes before the mount's, and the mount's before the global one") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "m": { "driver": "memory", "ttl": "1h" },
                                    "never": { "driver": "memory", "ttl": 0 } })",
                               R"("ttl": "1d",)");
  auto left = [&](const std::string &key) {
    const auto expiry = storage.meta(key)->expiry;
    return expiry == 0 ? 0 : (expiry - omnistore::now_ms() + 60'000) / 3600'000;
  };
  for (const char *key : {"k", "m:k", "never:k"}) storage.set(key, "");
  CHECK(left("k") == 24);
  CHECK(left("m:k") == 1);
  CHECK(left("never:k") == 0);
  storage.set("m:k", "", living(5h));
  CHECK(left("m:k") == 5);
  storage.set("m:k", "", living(0ms));
  CHECK(left("m:k") == 0);
  CHECK(test::status_of([&] { storage.set("k", "", living(-1ms)); }) == Status::invalid);
}

TEST_CASE("touch gives another ttl, and an absent key none") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "1", living(1min));
    CHECK(storage.touch("k", 1h));
    omnistore::advance_clock(120'000);
    CHECK(storage.get("k") == "1");
    CHECK(storage.touch("k", 0ms));
    CHECK(storage.meta("k")->expiry == 0);
    CHECK_FALSE(storage.touch("l", 1h));
  }
}

TEST_CASE("the user's meta lies under the key and a dollar sign, and goes with the value") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("k", "1");
    storage.set("k$", R"({"note":"x"})");
    CHECK(storage.meta("k")->user == R"({"note":"x"})");
    storage.set("k", "2", living(1h));
    CHECK(storage.meta("k")->user.empty());
    storage.set("k$", R"({"note":"y"})");
    CHECK(storage.remove("k"));
    CHECK_FALSE(storage.has("k$"));
  }
}

TEST_CASE("if-absent, if-present and if-match hold or change nothing") {
  for (const auto &mounts : {native, emulated, kept}) {
    Storage storage = test::open(mounts);
    CHECK_FALSE(storage.set("k", "0", when(Condition::Kind::if_present)).stored);
    CHECK_FALSE(storage.has("k"));
    CHECK(storage.set("k", "1", when(Condition::Kind::if_absent)).stored);
    CHECK_FALSE(storage.set("k", "2", when(Condition::Kind::if_absent)).stored);
    CHECK(storage.get("k") == "1");
    const std::string etag = storage.meta("k")->etag;
    REQUIRE_FALSE(etag.empty());
    const auto stored = storage.set("k", "2", when(Condition::Kind::if_match, etag), true);
    CHECK(stored.stored);
    CHECK(stored.etag == storage.meta("k")->etag);
    CHECK(stored.etag != etag);
    CHECK_FALSE(storage.set("k", "3", when(Condition::Kind::if_match, etag)).stored);
    CHECK_FALSE(storage.set("none", "3", when(Condition::Kind::if_match, etag)).stored);
    CHECK(storage.get("k") == "2");
    RemoveOptions remove;
    remove.condition = {Condition::Kind::if_match, etag};
    CHECK(test::status_of([&] { storage.remove("k", remove); }) == Status::conflict);
    remove.condition.etag = stored.etag;
    CHECK(storage.remove("k", remove));
  }
}

TEST_CASE("exactly one of many that set a key if it is absent succeeds") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        for (int round = 0; round < 200; ++round)
          if (storage.set("k" + std::to_string(round), "", when(Condition::Kind::if_absent)).stored) ++won;
      });
    for (auto &thread : threads) thread.join();
    CHECK(won == 200);
  }
}

TEST_CASE("many that count with if-match lose no step") {
  for (const auto &mounts : {native, emulated}) {
    Storage storage = test::open(mounts);
    storage.set("n", "0");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int step = 0; step < 100;) {
          const auto entry = storage.entry("n");
          const std::string next = std::to_string(std::stoi(entry->value) + 1);
          if (storage.set("n", next, when(Condition::Kind::if_match, entry->meta.etag)).stored) ++step;
        }
      });
    for (auto &thread : threads) thread.join();
    CHECK(storage.get("n") == "400");
  }
}

TEST_CASE("a condition on a store that others write to is refused if the driver has none") {
  Storage storage = test::open(R"({ "": { "driver": "bare", "options": { "shared": true, "etags": true } } })");
  storage.set("k", "1");
  for (auto kind : {Condition::Kind::if_absent, Condition::Kind::if_present, Condition::Kind::if_match})
    CHECK(test::status_of([&] { storage.set("k", "2", when(kind, "v1")); }) == Status::unsupported);
  CHECK(storage.get("k") == "1");
}

TEST_CASE("an expired value under a driver without ttl is removed without being read") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  test::Events events;
  const omnistore::Watch watch = storage.watch("", events.callback());
  omnistore::SetOptions brief;
  brief.ttl = 1min;
  for (int i = 0; i < 3; ++i) storage.set("k" + std::to_string(i), "", brief);
  storage.set("stays", "");
  omnistore::advance_clock(120'000);
  const auto seen = events.wait_for(7);
  REQUIRE(seen.size() == 7);
  for (std::size_t i = 4; i < seen.size(); ++i) CHECK(seen[i].cause == omnistore::Event::Cause::expired);
  CHECK(storage.stats().at(0).expirations == 3);
  CHECK(storage.keys().all() == std::vector<std::string>{"stays"});
}

TEST_CASE("expired values that a store without ttl held before it was opened are swept too") {
  const test::Folder folder;
  const std::string mounts =
      R"({ "": { "driver": "bare", "options": { "keeps": true, "file": ")" + (folder / "values") + R"(" } } })";
  omnistore::SetOptions brief;
  brief.ttl = 1min;
  {
    Storage storage = test::open(mounts);
    for (int i = 0; i < 1500; ++i) storage.set("k" + std::to_string(i), "", i % 2 ? brief : omnistore::SetOptions{});
  }
  omnistore::advance_clock(120'000);
  Storage storage = test::open(mounts);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (storage.stats().at(0).expirations < 750 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(storage.stats().at(0).expirations == 750);
  CHECK(storage.keys().all().size() == 750);
}
