// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <charconv>
#include <functional>
#include <map>
#include <thread>

#include "driven.hpp"

using test::numbered;
using test::Store;

namespace {

void at_once(size_t threads, const std::function<void(size_t)> &run) {
  std::vector<std::thread> all;
  for (size_t t = 0; t < threads; ++t) all.emplace_back(run, t);
  for (std::thread &thread : all) thread.join();
}

/// A value that shows whether it is whole: a number again and again.
std::string stamped(size_t number, size_t size) {
  const std::string stamp = numbered("", number);
  std::string value;
  while (value.size() < size) value += stamp;
  return value;
}
std::optional<size_t> stamp_of(const std::string &value) {
  size_t number = 0;
  std::from_chars(value.data(), value.data() + 7, number);
  return value == stamped(number, value.size()) ? std::optional(number) : std::nullopt;
}

} // namespace

TEST_CASE("readers see whole values, and never an older one after a newer one", "[long]") {
  const size_t largest = GENERATE(300, 100'000); // copied with and without the lock
  Store store;
  std::atomic<bool> done{false}, broken{false};
  const size_t writes = largest > 1000 ? 2000 : 20'000;
  at_once(4, [&](size_t t) {
    if (t < 2) { // each writer has keys of its own
      for (size_t i = 1; i <= writes; ++i) store.set(numbered("k", t * 2 + i % 2), stamped(i, 7 + i * 31 % largest));
      done = true;
      return;
    }
    size_t seen[4] = {};
    while (!done)
      for (size_t k = 0; k < 4; ++k) {
        const auto value = store.get(numbered("k", k));
        if (!value) continue;
        const auto stamp = stamp_of(*value);
        if (!stamp || *stamp < seen[k])
          broken = true;
        else
          seen[k] = *stamp;
      }
  });
  REQUIRE(!broken);
  for (size_t k = 0; k < 4; ++k) REQUIRE(stamp_of(store.get(numbered("k", k)).value()) >= writes - 1);
}

TEST_CASE("a value that is being read is not written over", "[long]") {
  Store store;
  std::atomic<bool> done{false}, broken{false};
  at_once(2, [&](size_t t) {
    for (size_t i = 1; t == 0 && i <= 3000; ++i) store.set("key", stamped(i, i % 2 ? 20'000 : 12'000));
    if (t == 0) done = true;
    while (!done)
      if (const auto value = store.get("key"); value && !stamp_of(*value)) broken = true;
  });
  REQUIRE(!broken);
}

TEST_CASE("values that are being read may be removed, cleared, evicted and set over", "[long]") {
  Store store("{\"maxBytes\":4000000}");
  std::atomic<bool> broken{false};
  std::atomic<int> writers{2};
  at_once(4, [&](size_t t) {
    if (t < 2) {
      for (size_t i = 1; i <= 3000; ++i) {
        const std::string key = numbered("k", i * 7 % 100);
        if (i % 50 == 0)
          store.clear(i % 100 ? "" : "k:");
        else if (i % 5 == 0)
          store.remove(key);
        else
          store.set(key, stamped(i, i % 3 * 50'000 + 7));
      }
      --writers;
      return;
    }
    for (size_t i = 0; writers > 0; ++i)
      if (const auto value = store.get(numbered("k", i % 100)); value && !stamp_of(*value)) broken = true;
  });
  REQUIRE(!broken);
}

TEST_CASE("exactly one of many if-absent sets at once succeeds") {
  Store store;
  std::atomic<size_t> won{0};
  at_once(4, [&](size_t) {
    for (size_t i = 0; i < 2000; ++i)
      if (store.set(numbered("k", i), "v", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK) ++won;
  });
  REQUIRE(won == 2000);
}

TEST_CASE("if-match loses no update") {
  Store store;
  store.set("count", "0");
  at_once(4, [&](size_t) {
    for (size_t i = 0; i < 1000;) {
      test::Got got;
      store.get("count", got);
      const std::string next = std::to_string(std::stoul(got.bytes) + 1);
      if (store.set("count", next, {.condition = OMNISTORE_IF_MATCH, .etag = got.etag}) == OMNISTORE_OK) ++i;
    }
  });
  REQUIRE(store.get("count") == "4000");
}

TEST_CASE("threads with keys of their own each find the same values as in a map") {
  Store store;
  std::atomic<bool> broken{false};
  at_once(4, [&](size_t t) {
    std::map<std::string, std::string> own;
    for (size_t i = 0; i < 20'000; ++i) {
      const std::string key = numbered("t" + std::to_string(t) + ":", i * 7919 % 3000);
      if (i % 4 == 0) {
        if ((store.remove(key) == OMNISTORE_OK) != (own.erase(key) == 1)) broken = true;
      } else if (i % 4 == 1) {
        const auto found = own.find(key);
        if (store.get(key) != (found == own.end() ? std::nullopt : std::optional(found->second))) broken = true;
      } else {
        store.set(key, own[key] = std::string(i % 90, static_cast<char>('a' + t)));
      }
    }
    std::vector<std::string> keys;
    for (const auto &[key, value] : own) keys.push_back(key);
    if (store.list("t" + std::to_string(t) + ":") != keys) broken = true;
  });
  REQUIRE(!broken);
}

TEST_CASE("entries expire and are swept while others read and write") {
  Store store;
  std::atomic<int> writers{2};
  at_once(4, [&](size_t t) {
    if (t < 2) {
      for (size_t i = 0; i < 20'000; ++i) {
        store.set(numbered("k", i * 31 % 5000), "v", {.expiry = store.now() + 1 + static_cast<int64_t>(i % 50)});
        if (i % 64 == 0) ++store.host.time;
        if (i % 5 == 0) store.touch(numbered("k", i % 5000), store.now() + 20);
      }
      --writers;
    } else if (t == 2) {
      while (writers > 0) store.host.run_tasks();
    } else {
      while (writers > 0) store.list();
    }
  });
  store.host.time += 1000;
  store.host.run_tasks();
  REQUIRE(store.list().empty());
  REQUIRE(store.host.tasks.empty());
}
