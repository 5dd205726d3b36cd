// SPDX-License-Identifier: Apache-2.0
// The guide: Handling Large Datasets.
#include <catch2/catch.hpp>

#include <algorithm>

#include "guide.hpp"

namespace {

omnistore::Storage filled(int count) {
  omnistore::Storage storage = test::guide("large-sets");
  std::vector<omnistore::SetItem> items;
  for (int i = 0; i < count; ++i) items.push_back({"archive:wayback:" + std::to_string(10'000 + i), "page", {}});
  for (const omnistore::Outcome &outcome : storage.set_many(items)) REQUIRE(outcome.status == omnistore::Status::ok);
  storage.set("archive:other", "page");
  return storage;
}

} // namespace

TEST_CASE("guide, large sets: all keys with a prefix, as a range that is read page by page") {
  const test::Workplace here;
  const omnistore::Storage storage = filled(2500);
  std::size_t count = 0;
  for (const std::string &key : storage.keys("archive:wayback")) count += key.starts_with("archive:wayback:1");
  CHECK(count == 2500);
}

TEST_CASE("guide, large sets: values in batches") {
  const test::Workplace here;
  const omnistore::Storage storage = filled(250);
  omnistore::EntriesOptions options;
  options.batch = 100;
  std::size_t count = 0;
  for (const auto &item : storage.entries("archive:wayback", options)) count += item.entry.value == "page";
  CHECK(count == 250);
}

TEST_CASE("guide, large sets: pages with a cursor that is good after a restart") {
  const test::Workplace here;
  omnistore::ListOptions options;
  options.limit = 100;
  std::vector<std::string> keys;
  const auto take_page = [&](const omnistore::Storage &storage) {
    omnistore::Page page = storage.list("archive:wayback", options);
    for (auto &item : page.items) keys.push_back(std::move(item.key));
    options.cursor = std::move(page.cursor);
  };
  take_page(filled(250));
  while (!options.cursor.empty()) take_page(test::guide("large-sets"));
  REQUIRE(keys.size() == 250);
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("guide, large sets: a part of a long value, and a long value piece by piece") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("large-sets");
  /// Four million bytes, of which none is kept.
  struct Pieces : omnistore::Source {
    std::uint64_t left = 4'000'000;
    std::size_t read(char *into, std::size_t capacity) override {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, left));
      std::fill(into, into + size, 'x');
      left -= size;
      return size;
    }
  } source;
  storage.set("archive:long", source, 4'000'000);
  omnistore::GetOptions part;
  part.offset = 3'999'990;
  CHECK(storage.get("archive:long", part) == "xxxxxxxxxx");
  CHECK(storage.meta("archive:long")->size == 4'000'000);
}
