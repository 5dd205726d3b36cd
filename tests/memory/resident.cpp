// SPDX-License-Identifier: Apache-2.0
// The memory that a store takes from the machine, and gives back. A sanitizer keeps memory of its own: nothing is
// measured under one.
#include <fstream>
#include <optional>
#include <thread>

#include <malloc.h>
#include <unistd.h>

#include "driven.hpp"

using test::Got;
using test::numbered;
using test::Store;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool measures = false;
#else
constexpr bool measures = true;
#endif

constexpr size_t mebi = 1024 * 1024;

/// Bytes of this process that are in memory.
size_t resident() {
  size_t whole = 0, pages = 0;
  std::ifstream("/proc/self/statm") >> whole >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

/// The memory that was taken since it was made.
class Taken {
public:
  Taken() {
    ::malloc_trim(0);
    before_ = resident();
  }
  double bytes() const { return static_cast<double>(resident()) - static_cast<double>(before_); }

private:
  size_t before_;
};

/// Lets the time pass in which a store gives back what lies idle.
void rest(Store &store) {
  store.host.time += 2000;
  store.host.run_tasks();
}

} // namespace

TEST_CASE("an entry of 100 bytes takes at most 160 bytes of resident memory", "[long]") {
  constexpr size_t count = 300'000;
  const Taken taken;
  Store store;
  for (size_t i = 0; i < count; ++i) store.set(numbered("key:00000", i * 7919 % count), std::string(100, 'v'));
  INFO(taken.bytes() / count);
  if (measures) REQUIRE(taken.bytes() / count < 160);
}

TEST_CASE("the memory of removed entries goes back, though the rest stands all among them", "[long]") {
  constexpr size_t count = 300'000;
  const size_t size = GENERATE(100, 1000);
  const Taken taken;
  Store store;
  for (size_t i = 0; i < count; ++i) store.set(numbered("key:", i), std::string(size, 'v'));
  const double full = taken.bytes();
  for (size_t i = 0; i < count; ++i)
    if (i % 10 != 0) store.remove(numbered("key:", i));
  rest(store);
  INFO(taken.bytes() << " of " << full);
  if (measures) REQUIRE(taken.bytes() < full / 5);
}

TEST_CASE("entries that are moved keep value, etag, expiry, user meta and order", "[long]") {
  constexpr size_t count = 60'000;
  const auto options = GENERATE("{}", "{\"size\":100000}");
  Store store(options);
  const auto value = [](size_t i) {
    return std::string(i % 5 == 0 ? 20'000 : i % 200, static_cast<char>('a' + i % 26));
  };
  for (size_t i = 0; i < count; ++i)
    store.set(numbered("key:", i), i % 100 == 0 ? value(i) : std::string(i % 200, 'x'),
              {.expiry = i % 3 == 0 ? store.now() + 1'000'000 + static_cast<int64_t>(i) : 0});
  test::Keys kept;
  for (size_t i = 0; i < count; ++i)
    if (i % 100 != 0)
      store.remove(numbered("key:", i));
    else
      kept.push_back(numbered("key:", i));
  std::vector<std::string> etags;
  for (const auto &key : kept) etags.push_back(store.etag(key));
  const int64_t before = store.now();
  rest(store);
  REQUIRE(store.list() == kept);
  for (size_t k = 0; k < kept.size(); ++k) {
    const size_t i = k * 100;
    Got got;
    REQUIRE(store.get(kept[k], got) == OMNISTORE_OK);
    REQUIRE(got.bytes == value(i));
    REQUIRE(got.expiry == (i % 3 == 0 ? before + 1'000'000 + static_cast<int64_t>(i) : 0));
    REQUIRE(store.etag(kept[k]) == etags[k]);
  }
  store.host.time += 2'000'000;
  store.host.run_tasks();
  std::erase_if(kept, [](const std::string &key) { return std::stoul(key.substr(4)) % 3 == 0; });
  REQUIRE(store.list() == kept);
}

TEST_CASE("entries are moved while others read, set and remove them") {
  Store store;
  std::atomic<bool> done{false}, broken{false};
  std::thread tidying([&] {
    while (!done) rest(store);
  });
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (size_t round = 0; round < 4; ++round) {
        for (size_t i = t; i < 20'000; i += 2) store.set(numbered("key:", i), numbered(std::string(i % 90, 'v'), i));
        for (size_t i = t; i < 20'000; i += 2)
          if (i % 20 > 1) store.remove(numbered("key:", i));
        for (size_t i = t; i < 20'000; i += 2)
          if (i % 20 <= 1 && store.get(numbered("key:", i)) != numbered(std::string(i % 90, 'v'), i)) broken = true;
      }
    });
  for (std::thread &thread : threads) thread.join();
  done = true;
  tidying.join();
  REQUIRE(!broken);
  REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, 1000).size() == 2000);
}

TEST_CASE("a clear gives all memory back", "[long]") {
  const size_t size = GENERATE(100, 3000, 50'000);
  const Taken taken;
  Store store;
  for (size_t i = 0; i < 80'000'000 / size; ++i) store.set(numbered("key:", i), std::string(size, 'v'));
  const double full = taken.bytes();
  store.clear();
  rest(store);
  INFO(taken.bytes() << " of " << full);
  if (measures) REQUIRE(taken.bytes() < full / 10);
}

TEST_CASE("a store that closes gives all memory back", "[long]") {
  const size_t size = GENERATE(100, 3000, 50'000);
  const Taken taken;
  std::optional<Store> store(std::in_place);
  for (size_t i = 0; i < 80'000'000 / size; ++i) store->set(numbered("key:", i), std::string(size, 'v'));
  const double full = taken.bytes();
  store.reset();
  INFO(taken.bytes() << " of " << full);
  if (measures) REQUIRE(taken.bytes() < full / 20);
}

TEST_CASE("evicted and replaced values go back, so long ones leave no more than maxBytes", "[long]") {
  const std::string value(20 * mebi, 'v');
  const Taken taken;
  Store store("{\"maxBytes\":67108864}");
  for (size_t i = 0; i < 30; ++i) REQUIRE(store.set(numbered("key:", i % 5), value) == OMNISTORE_OK);
  rest(store);
  INFO(taken.bytes());
  if (measures) REQUIRE(taken.bytes() < 64 * mebi * 1.1);
}

TEST_CASE("maxBytes counts the memory of a store, for short and for long values", "[long]") {
  const size_t size = GENERATE(0, 20, 100, 500, 1000, 1500, 3000, 10'000, 20'000, 140'000, 1'000'000);
  const int64_t lives = GENERATE(0, 1'000'000);
  constexpr size_t most = 40'000'000;
  const Taken taken;
  Store store("{\"maxBytes\":" + std::to_string(most) + "}");
  const std::string value(size, 'v');
  for (size_t i = 0, set = 0; set < most * 5 / 4; ++i, set += size + 60) {
    store.set(numbered("key:", i), value, {.expiry = lives == 0 ? 0 : store.now() + lives});
    if (i % 1024 == 0) store.host.take_events();
  }
  store.host.take_events();
  rest(store);
  INFO(size << ": " << taken.bytes());
  if (measures) REQUIRE(taken.bytes() < most * 1.1);
  if (measures) REQUIRE(taken.bytes() > most * 0.9);
}
