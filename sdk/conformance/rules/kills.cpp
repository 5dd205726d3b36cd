// SPDX-License-Identifier: Apache-2.0
// Durability when a store closes, and when its process is killed.
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <sys/mman.h>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// Memory that two processes share.
struct Shared {
  std::atomic<std::uint64_t> acknowledged{0};
  std::atomic<std::uint32_t> keeps{0};
};

struct Memory {
  Shared *shared =
      new (mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared;
  ~Memory() { munmap(shared, sizeof(Shared)); }
};

/// Returns a value that contains its number, and in which a cut is found.
std::string numbered(std::uint64_t number) {
  const std::string mark = std::to_string(number) + ";";
  std::string value;
  while (value.size() < 20'000) value += mark;
  return value;
}
std::uint64_t number_of(const std::string &value) {
  const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
  require(value == numbered(number), "after a kill a value is a mixture: " + shown(value));
  return number;
}

void keeps_through_close(Bench &bench) {
  if (bench.is_layer()) throw Skipped("the stores under it keep its values");
  const std::uint32_t keeps = bench.store().traits().keeps;
  if (keeps < OMNISTORE_KEEPS_NO_VALUE) throw Skipped("it does not say what it keeps");
  put(bench.store(), bench.key("k"), "value");
  put(bench.store(), bench.key("gone"), "value");
  expect_ok(bench.store().remove(bench.key("gone")), "remove");
  bench.close();
  if (keeps < OMNISTORE_KEEPS_PROCESS) {
    expect_none(bench.store().get(bench.key("k")), "get from a store opened anew that claims OMNISTORE_KEEPS_NOTHING");
    return;
  }
  expect_value(bench.store().get(bench.key("k")), "value", "get from a store that was closed and opened");
  expect_none(bench.store().get(bench.key("gone")), "get of a removed key from a store that was closed and opened");
  expect_listed(bench.store(), bench.base(), {bench.key("k")}, "a listing of a store that was closed and opened");
}

void keeps_through_kills(Bench &bench) {
  if (bench.is_layer()) throw Skipped("the stores under it keep its values");
  for (std::size_t round = 0; round < bench.times(4); ++round) {
    Memory memory;
    const bool ended = bench.in_process(
        [&] {
          Store &store = bench.store();
          memory.shared->keeps = store.traits().keeps;
          if (store.traits().keeps < OMNISTORE_KEEPS_PROCESS) return;
          for (std::uint64_t i = 1;; ++i) {
            if (!store.set(bench.key("k"), numbered(i)).ok()) return;
            if (!store.set(bench.key("list:" + std::to_string(i % 50)), numbered(i)).ok()) return;
            memory.shared->acknowledged = i;
          }
        },
        [&](int process) {
          const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
          const std::uint64_t enough = 5 + round * 17 % 60;
          while (memory.shared->acknowledged < enough && std::chrono::steady_clock::now() < end) {
            if (memory.shared->keeps && memory.shared->keeps < OMNISTORE_KEEPS_PROCESS) return;
            std::this_thread::sleep_for(std::chrono::microseconds(200));
          }
          kill(process, SIGKILL);
        });
    if (memory.shared->keeps < OMNISTORE_KEEPS_PROCESS)
      throw Skipped("it does not claim to keep more than its process");
    require(!ended, "set failed in another process");
    const std::uint64_t acknowledged = memory.shared->acknowledged;
    const GetResult got = bench.store().get(bench.key("k"));
    require(got.ok(), "after a kill, get of a value that was acknowledged came to " + shown(got));
    const std::uint64_t number = number_of(got.bytes);
    require(number == acknowledged || number == acknowledged + 1,
            "write " + std::to_string(acknowledged) + " was acknowledged before a kill; afterwards there is write " +
                std::to_string(number));
    const auto listed = bench.store().lists() ? bench.store().keys(bench.key("list:"), 7) : std::vector<std::string>{};
    for (const std::string &key : listed) {
      const GetResult each = bench.store().get(key);
      expect_ok(each, "get of a key that a listing gives after a kill");
      number_of(each.bytes);
    }
    put(bench.store(), bench.key("after"), "value");
    expect_value(bench.store().get(bench.key("after")), "value", "get after set in a store that a kill has left");
    bench.close();
  }
}

void seen_by_others(Bench &bench) {
  if (bench.is_layer()) throw Skipped("each layer of the test has stores of its own");
  Store &store = bench.store();
  if (store.traits().keeps < OMNISTORE_KEEPS_PROCESS) throw Skipped("no other store sees what it holds");
  const std::unique_ptr<Store> other = bench.another();
  put(store, bench.key("s"), "one");
  expect_value(other->get(bench.key("s")), "one", "get of another store's value");
  put(*other, bench.key("s"), "two");
  expect_value(store.get(bench.key("s")), "two", "get after another store's set");
  expect_ok(other->remove(bench.key("s")), "remove of another store's value");
  expect_none(store.get(bench.key("s")), "get after another store's remove");
}

} // namespace

std::span<const Rule> kill_rules() {
  static constexpr Rule rules[] = {
      {"keeps-through-close", "How durable an acknowledged write is.", 0, keeps_through_close},
      {"keeps-through-kills", "never a mixture, and a failure leaves the old one", 0, keeps_through_kills},
      {"shared-seen", "others than this store may change what it holds", OMNISTORE_SHARED, seen_by_others},
  };
  return rules;
}

} // namespace omnistore::kit
