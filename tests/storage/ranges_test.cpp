// SPDX-License-Identifier: Apache-2.0
// Keys and entries as ranges.
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <ranges>

#include <omnistore/view.hpp>

#include "fixture.hpp"

using omnistore::EntriesOptions;
using omnistore::EntryRange;
using omnistore::KeyRange;
using omnistore::Status;
using omnistore::Storage;
using Keys = std::vector<std::string>;

static_assert(std::ranges::input_range<KeyRange> && std::ranges::input_range<EntryRange>);

namespace {

std::string numbers(unsigned count, bool blocks = false) {
  return R"({ "": { "driver": "memory" }, "n": { "driver": "numbers", "options": { "count": )" + std::to_string(count) +
         R"(, "blocks": )" + (blocks ? "true" : "false") + " } } }";
}

/// KiB: the most memory that was held since the count was set back.
long peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::strtol(line.c_str() + 6, nullptr, 10);
  return 0;
}
void set_peak_back() { std::ofstream("/proc/self/clear_refs") << "5"; }

// A sanitizer keeps what was freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long most_kib = 1'000'000;
#else
constexpr long most_kib = 16'000;
#endif

} // namespace

TEST_CASE("keys are walked over all mounts of a base, each once") {
  Storage storage = test::open(numbers(2500));
  storage.set("a", "1");
  storage.set("b:c", "2");
  Keys keys;
  for (const std::string &key : storage.keys()) keys.push_back(key);
  REQUIRE(keys.size() == 2502);
  CHECK(keys == storage.keys().all());
  std::sort(keys.begin(), keys.end());
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("an empty base has an empty range") {
  Storage storage = test::open(numbers(0));
  KeyRange keys = storage.keys("nothing");
  CHECK(keys.begin() == keys.end());
  EntryRange entries = storage.entries("nothing");
  CHECK(entries.begin() == entries.end());
}

TEST_CASE("all() gives the keys that were not walked yet") {
  Storage storage = test::open(numbers(5));
  KeyRange keys = storage.keys("n");
  auto at = keys.begin();
  ++at;
  CHECK(*at == "n:n0000001");
  CHECK(keys.all() == Keys{"n:n0000001", "n:n0000002", "n:n0000003", "n:n0000004"});
}

TEST_CASE("a walk over a million keys and their entries keeps memory flat", "[long]") {
  Storage storage = test::open(numbers(1'000'000, true));
  std::size_t count = 0;
  set_peak_back();
  const long before = peak();
  for (const std::string &key : storage.keys("n")) count += key.size() == 10;
  CHECK(count == 1'000'000);
  CHECK(peak() - before < most_kib);
  count = 0;
  for (const auto &[key, entry] : storage.entries("n")) {
    count += entry.value.size() == 800;
    if (count == 100'000) break;
  }
  CHECK(count == 100'000);
  CHECK(peak() - before < most_kib);
}

TEST_CASE("entries come with values and meta, in the order of their keys, read in batches") {
  for (const bool blocks : {false, true}) {
    Storage storage = test::open(numbers(1050, blocks));
    EntriesOptions options;
    options.batch = 100;
    std::size_t at = 0;
    const Keys keys = storage.keys("n").all();
    for (const auto &[key, entry] : storage.entries("n", options)) {
      REQUIRE(at < keys.size());
      CHECK(key == keys[at++]);
      CHECK(entry.meta.size == 800);
      CHECK(entry.value.starts_with(key.substr(2)));
    }
    CHECK(at == 1050);
  }
}

TEST_CASE("a walk over entries that ends early waits for the batch that is read ahead") {
  Storage storage = test::open(numbers(100'000, true));
  for (int i = 0; i < 20; ++i)
    for (const auto &item : storage.entries("n")) {
      CHECK(item.key == "n:n0000000");
      break;
    }
}

TEST_CASE("a value that cannot be read ends the walk over entries with its error") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  storage.set("a", "1");
  storage.set("short", "2"); // of which the driver gives fewer bytes than it announces
  std::size_t count = 0;
  CHECK(test::status_of([&] {
          for (const auto &item : storage.entries()) count += !item.key.empty();
        }) != Status::ok);
}

TEST_CASE("keys that others write and remove during a walk do not end it") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  for (int i = 0; i < 5000; ++i) storage.set("k" + std::to_string(10'000 + i), "v");
  std::size_t count = 0;
  for (const EntryRange::Item &item : storage.entries()) {
    CHECK(item.entry.value == "v");
    if (count++ == 100)
      for (int i = 0; i < 2000; ++i) storage.remove("k" + std::to_string(12'000 + i));
  }
  CHECK(count >= 3000);
  CHECK(count <= 5000);
}

TEST_CASE("a view's ranges know no more than its base") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  storage.set("app:a", "1");
  storage.set("app:b:c", "2");
  storage.set("other", "3");
  const omnistore::View view = storage.prefixed("app");
  CHECK(view.keys().all() == Keys{"a", "b:c"});
  Keys values;
  for (const auto &[key, entry] : view.entries()) values.push_back(key + "=" + entry.value);
  CHECK(values == Keys{"a=1", "b:c=2"});
}
