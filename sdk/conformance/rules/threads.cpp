// SPDX-License-Identifier: Apache-2.0
// Many threads at once. The functions of a serialized store are called one at a time, as a host does it.
#include <atomic>

#include "expect.hpp"
#include "rule.hpp"
#include "together.hpp"

namespace omnistore::kit {
namespace {

constexpr int writers = 4;

/// Returns a value that repeats its writer's number, in which a cut or a mixture is found.
std::string marked(unsigned number, std::size_t size) {
  const std::string mark = std::to_string(number) + ";";
  std::string value;
  while (value.size() < size) value += mark;
  return value;
}
bool is_whole(std::string_view value) {
  const std::size_t end = value.find(';');
  if (end == value.npos) return false;
  const std::string_view mark = value.substr(0, end + 1);
  if (value.size() % mark.size()) return false;
  for (std::size_t at = 0; at < value.size(); at += mark.size())
    if (value.substr(at, mark.size()) != mark) return false;
  return true;
}

void own_keys(Bench &bench) {
  Store &store = bench.store();
  together(writers, [&](int thread) {
    const std::string mine = "t" + std::to_string(thread) + ":";
    for (unsigned i = 0; i < bench.times(150); ++i) {
      const std::string key = bench.key(mine + std::to_string(i % 20)), value = bytes_of(i * 37 % 3000, i);
      put(store, key, value);
      expect_value(store.get(key), value, "get of a key that no other thread uses");
      if (i % 3 == 0) {
        expect_ok(store.remove(key), "remove of a key that no other thread uses");
        expect_none(store.get(key), "get after remove of a key that no other thread uses");
      }
      if (i % 50 == 0 && store.lists()) store.keys(bench.key(mine), 5);
    }
  });
}

void whole_for_readers(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("shared");
  const std::size_t most = store.traits().max_value_size ? store.traits().max_value_size : 60'000;
  const auto size = [&](unsigned n) { return std::min<std::size_t>(most / 2 + 1, n % 2 ? 50'000 : 300 + n % 100); };
  put(store, key, marked(1, size(1)));
  std::atomic<bool> over = false;
  together(writers, [&](int thread) {
    try {
      for (unsigned i = 1; i < bench.times(150) && !over; ++i) {
        if (thread < 2) {
          put(store, key, marked(i * 2 + static_cast<unsigned>(thread), size(i)));
        } else {
          const GetResult got = store.get(key, {.into = {.buffer = thread == 3}});
          expect_ok(got, "get of a key that is overwritten meanwhile");
          require(is_whole(got.bytes), "a reader got a mixture of two values: " + shown(got.bytes));
        }
      }
    } catch (...) {
      over = true;
      throw;
    }
  });
}

void removal_and_reader(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("flickers");
  together(writers, [&](int thread) {
    for (unsigned i = 1; i < bench.times(200); ++i) {
      if (thread == 0)
        put(store, key, marked(i, 5'000));
      else if (thread == 1) {
        const CallResult done = store.remove(key);
        require(done.ok() || done.status == OMNISTORE_NOT_FOUND, "remove beside others came to " + shown(done));
      } else {
        const GetResult got = store.get(key);
        require(got.status == OMNISTORE_NOT_FOUND || (got.ok() && is_whole(got.bytes)),
                "get of a key that comes and goes came to " + shown(got));
      }
    }
  });
}

void everything_at_once(Bench &bench) {
  Store &store = bench.store();
  together(writers, [&](int thread) {
    for (unsigned i = 0; i < bench.times(60); ++i) {
      const std::string key = bench.key("k" + std::to_string(i % 10));
      switch ((i + static_cast<unsigned>(thread)) % 6) {
      case 0:
        put(store, key, marked(i, 2'000));
        break;
      case 1:
        store.get(key);
        break;
      case 2:
        store.stat(key, OMNISTORE_GET_META);
        break;
      case 3:
        store.remove(key);
        break;
      case 4:
        if (store.lists()) store.keys(bench.base(), 3);
        break;
      default:
        if (store.driver().set_many) store.set_many({{bench.key("m1"), "1"}, {key, marked(i, 100)}});
        if (store.driver().clear && i % 12 == 5) store.clear(bench.key("k1:"), false);
      }
    }
  });
  if (!store.lists()) return;
  for (const std::string &key : store.keys(bench.base()))
    expect_ok(store.get(key), "get of a key that a listing gives, when all is quiet");
}

} // namespace

std::span<const Rule> thread_rules() {
  static constexpr Rule rules[] = {
      {"threads-own-keys", "any number of [store] functions at once for a store", 0, own_keys},
      {"threads-whole", "a reader at the same time gets the old or the new value, never a mixture", 0,
       whole_for_readers},
      {"threads-flicker", "a reader at the same time gets the old or the new value, never a mixture", 0,
       removal_and_reader},
      {"threads-everything", "any number of [store] functions at once for a store", 0, everything_at_once},
  };
  return rules;
}

} // namespace omnistore::kit
