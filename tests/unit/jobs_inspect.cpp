// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "jobs/inspect.hpp"

using omnistore::ListOptions;
using omnistore::Page;
using namespace omnistore::jobs;

namespace {

/// So many keys, listed in pages of at most `most`; remembers the requests.
struct Listed {
  std::uint64_t count;
  std::uint64_t most = 1'000'000'000;
  bool empty_first = false; ///< the first page has no key, and has a next one
  std::uint64_t pages = 0;
  std::vector<std::string> log{}; ///< "head", "key" and "page" in the order in which they came

  ListPage list() {
    return [this](const ListOptions &how) {
      ++pages;
      log.emplace_back("page");
      std::uint64_t at = how.cursor.empty() ? 0 : std::stoull(how.cursor);
      Page page;
      if (at == 0 && empty_first) return page.cursor = "0", empty_first = false, page;
      const std::uint64_t end = std::min({count, at + how.limit, at + most});
      for (; at < end; ++at) page.items.push_back({std::to_string(at), {}});
      if (at < count) page.cursor = std::to_string(at);
      return page;
    };
  }
};

struct Seen : InspectSink {
  explicit Seen(Listed &listed) : log(listed.log) {}
  void head(std::optional<std::uint64_t> known) override {
    log.emplace_back("head");
    count = known;
  }
  void key(const Page::Item &item) override {
    log.emplace_back("key");
    keys.push_back(item.key);
  }
  std::vector<std::string> &log;
  std::optional<std::uint64_t> count;
  std::vector<std::string> keys;
};

InspectOptions options(std::uint64_t limit, bool count = true, std::string cursor = {}) {
  return {limit, std::move(cursor), count};
}

} // namespace

TEST_CASE("the count of few keys is known before the first") {
  Listed listed{30};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(20), seen);
  CHECK(seen.count == 30);
  CHECK(seen.keys.size() == 20);
  CHECK(result.shown == 20);
  CHECK(result.more == 10);
  CHECK(result.cursor == "20");
}

TEST_CASE("the first of many keys are shown before the rest is counted") {
  Listed listed{1'000'000};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(20), seen);
  CHECK_FALSE(seen.count);
  CHECK(result.more == 999'980);
  const auto first = std::find(listed.log.begin(), listed.log.end(), "key");
  CHECK(std::count(listed.log.begin(), first, "page") <= 2);
  CHECK(listed.pages > 50);
}

TEST_CASE("without a count no more is read than is shown") {
  Listed listed{1'000'000};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(20, false), seen);
  CHECK(listed.pages == 1);
  CHECK_FALSE(result.more);
  CHECK(result.cursor == "20");
}

TEST_CASE("walks that continue at the end of the one before show every key once") {
  Listed listed{47};
  std::vector<std::string> all;
  std::string cursor;
  do {
    Seen seen(listed);
    const Inspected result = inspect(listed.list(), options(10, true, cursor), seen);
    CHECK(seen.count == 47 - all.size());
    all.insert(all.end(), seen.keys.begin(), seen.keys.end());
    cursor = result.cursor;
    CHECK(result.more == 47 - all.size());
  } while (!cursor.empty());
  REQUIRE(all.size() == 47);
  CHECK(all.back() == "46");
}

TEST_CASE("a walk passes over pages that are shorter than requested, or empty") {
  Listed listed{47, 3, true};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(10), seen);
  CHECK(seen.keys.size() == 10);
  CHECK(seen.count == 47);
  CHECK(result.more == 37);
}

TEST_CASE("more keys than fit into a page are shown a page at a time") {
  Listed listed{5000};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(3500), seen);
  CHECK(seen.keys.size() == 3500);
  CHECK(seen.keys.back() == "3499");
  CHECK(result.more == 1500);
  CHECK(result.cursor == "3500");
}

TEST_CASE("exactly as many keys as are shown leave none") {
  Listed listed{10};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(10), seen);
  CHECK(seen.count == 10);
  CHECK(result.more == 0);
  CHECK(result.cursor.empty());
}

TEST_CASE("the count of no keys is none") {
  Listed listed{0};
  Seen seen(listed);
  const Inspected result = inspect(listed.list(), options(10), seen);
  CHECK(seen.count == 0);
  CHECK(result.shown == 0);
  CHECK(result.more == 0);
}
