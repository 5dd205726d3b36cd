// SPDX-License-Identifier: Apache-2.0
// list and clear.
#include <atomic>
#include <iterator>
#include <set>
#include <thread>

#include "expect.hpp"
#include "planted.hpp"
#include "rule.hpp"
#include "together.hpp"

namespace omnistore::kit {
namespace {

void lists_all(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  expect_keys(bench.store().keys(bench.base()), keys, "a listing of the test's base");
  const std::vector<std::string> all = bench.store().keys("");
  const std::set<std::string> found(all.begin(), all.end());
  for (const std::string &key : keys) require(found.contains(key), "a listing of everything lacks " + shown(key));
  require(found.size() == all.size(), "a listing of everything gives a key twice");
}

void refuses_to_list(Bench &bench) {
  for (const std::string &base : {std::string(), bench.base()})
    expect(bench.store().try_list(base), OMNISTORE_UNSUPPORTED, "list in a driver that cannot list");
  require(!bench.driver().clear, "a driver that cannot list has a clear");
}

void lists_a_base(Bench &bench) {
  std::vector<std::string> keys = plant(bench);
  for (const std::string name : {"ab:x", "a-:x", "b:cc:x"}) {
    put(bench.store(), bench.key(name), "x");
    keys.push_back(bench.key(name));
  }
  for (const std::string base : {"a:", "b:", "b:c:"})
    expect_keys(bench.store().keys(bench.key(base)), under(keys, bench.key(base)), "a listing of " + base);
}

void lists_nothing(Bench &bench) {
  expect_keys(bench.store().keys(bench.key("nothing:")), {}, "a listing of a base without keys");
  const Page page = bench.store().list(bench.key("nothing:"), {.limit = 1});
  expect_ok(page, "a page of a base without keys");
}

void pages(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  for (const std::uint32_t limit : {1u, 2u, 3u, 7u, 29u, 30u, 31u, UINT32_MAX})
    expect_keys(bench.store().keys(bench.base(), limit), keys, "a listing by pages of " + std::to_string(limit));
}

void resumes(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> keys = plant(bench);
  static constexpr std::uint32_t limits[] = {1, 5, 2, 11};
  std::vector<std::string> all;
  ListOptions how;
  for (std::size_t page = 0; page == 0 || !how.cursor.empty(); ++page) {
    how.limit = limits[page % std::size(limits)];
    how.meta = page % 2 && store.can(OMNISTORE_CAN_LIST_META);
    const Page next = store.list(bench.base(), how);
    expect_ok(next, "a page with another limit than the page before it");
    all.insert(all.end(), next.keys.begin(), next.keys.end());
    require(page < 1000, "a listing of " + std::to_string(keys.size()) + " keys has 1000 pages");
    how.cursor = next.cursor;
  }
  expect_keys(all, keys, "a listing by pages with different limits");
}

void depths(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  for (const std::uint32_t depth : {0u, 1u, 2u, 7u}) {
    std::vector<std::string> right;
    for (const std::string &key : keys)
      if (static_cast<std::uint32_t>(
              std::count(key.begin() + static_cast<std::ptrdiff_t>(bench.base().size()), key.end(), ':')) <= depth)
        right.push_back(key);
    for (const std::uint32_t limit : {1u, 5u, 1000u})
      expect_keys(bench.store().keys(bench.base(), limit, depth), right, "a listing of depth " + std::to_string(depth));
  }
}

void in_order(Bench &bench) {
  if (bench.store().traits().order < OMNISTORE_ORDER_KEYS) throw Skipped("it claims no order");
  plant(bench);
  for (const std::string name : {"a", "a!x", "a~x", "A", "b", "\xc3\xa9", "top", "top1$"})
    bench.store().set(bench.key(name), "x");
  for (const std::uint32_t limit : {1u, 4u, 1000u}) {
    const std::vector<std::string> found = bench.store().keys(bench.base(), limit);
    for (std::size_t i = 1; i < found.size(); ++i)
      require(found[i - 1] < found[i], "it claims OMNISTORE_ORDER_KEYS, and gives " + shown(found[i - 1]) + " before " +
                                           shown(found[i]) + " by pages of " + std::to_string(limit));
  }
}

void lists_meta(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> keys = plant(bench);
  const std::int64_t end = KitHost::time() + 3'600'000;
  if (store.can(OMNISTORE_CAN_TTL)) put(store, keys[0], "ends", {.expiry = end});
  const Page page = store.list(bench.base(), {.limit = 1000, .meta = true});
  expect_ok(page, "a listing with meta");
  for (const std::string &key : page.keys) {
    const auto meta = page.metas.find(key);
    require(meta != page.metas.end(), "it claims OMNISTORE_CAN_LIST_META, and gives no meta for " + shown(key));
    const GetResult found = store.stat(key, OMNISTORE_GET_META);
    const auto same = [&](const char *what, std::int64_t listed, std::int64_t told) {
      require(listed == told, "the " + std::string(what) + " of " + shown(key) + " in a listing is " +
                                  std::to_string(listed) + ", stat gives " + std::to_string(told));
    };
    same("size", static_cast<std::int64_t>(meta->second.size), static_cast<std::int64_t>(found.known_meta().size));
    same("mtime", meta->second.mtime, found.known_meta().mtime);
    same("expiry", meta->second.expiry, found.known_meta().expiry);
  }
}

void meta_only_when_asked(Bench &bench) {
  plant(bench);
  const Page page = bench.store().list(bench.base(), {});
  expect_ok(page, "a listing without meta");
  require(page.metas.empty(), "a listing gives meta without OMNISTORE_LIST_META");
}

void limit_holds(Bench &bench) {
  plant(bench);
  for (const std::uint32_t limit : {1u, 2u, 10u})
    expect_ok(bench.store().list(bench.base(), {.limit = limit}), "a page"); // checked in emit
}

void emit_stops(Bench &bench) {
  plant(bench);
  expect(bench.store().list(bench.base(), {.emit_fails = OMNISTORE_TIMEOUT}), OMNISTORE_TIMEOUT,
         "list whose page's emit returned TIMEOUT");
}

void cursors_live(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  const Page first = bench.store().list(bench.base(), {.limit = 5});
  expect_ok(first, "the first page");
  if (first.cursor.empty()) throw Skipped("it gave all keys in one page of 5");
  if (!bench.keeps()) throw Skipped("its values go when it closes");
  bench.close();
  const Page second = bench.store().list(bench.base(), {.limit = 1000, .cursor = first.cursor});
  if (second.status == OMNISTORE_INVALID) return;
  expect_ok(second, "a page by a cursor of the store before it was closed (or INVALID)");
  const std::set<std::string> early(first.keys.begin(), first.keys.end());
  for (const std::string &key : second.keys)
    require(!early.contains(key), "a cursor of the store before it was closed gives " + shown(key) + " again");
}

void wrong_cursors(Bench &bench) {
  plant(bench);
  const std::string cursors[] = {"x",  std::string(1, '\0'),  "\xff\xff", std::string(4096, 'c'), "{}",
                                 "-1", "99999999999999999999"};
  for (const std::string &cursor : cursors) {
    const Page page = bench.store().list(bench.base(), {.limit = 3, .cursor = cursor});
    require(page.ok() || page.status == OMNISTORE_INVALID, "list with the cursor " + shown(cursor) +
                                                               ", which it never gave, returned " + shown(page) +
                                                               "; expected INVALID");
  }
}

void steady_while_others_write(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> steady;
  for (int i = 0; i < 60; ++i) steady.push_back(bench.key("s" + std::to_string(i * 7)));
  for (const std::string &key : steady) put(store, key, "stays");
  std::atomic<bool> over = false;
  together(2, [&](int i) {
    if (i == 0) {
      for (unsigned n = 0; !over; ++n) {
        const std::string key = bench.key("s" + std::to_string(n % 450) + "x");
        if (n / 450 % 2)
          store.remove(key);
        else
          store.set(key, "comes and goes");
      }
      return;
    }
    try {
      for (std::size_t run = 0; run < bench.times(20); ++run) {
        const std::vector<std::string> found = store.keys(bench.base(), 7);
        std::set<std::string> once;
        for (const std::string &key : found)
          require(once.insert(key).second, "a listing gives " + shown(key) + " twice while others write");
        for (const std::string &key : steady)
          require(once.contains(key),
                  "a listing lacks " + shown(key) + ", which was there throughout, while others write");
      }
    } catch (...) {
      over = true;
      throw;
    }
    over = true;
  });
}

void clears_a_base(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> keys = plant(bench);
  const Page removed = store.clear(bench.key("b:"));
  expect_ok(removed, "clear");
  expect_keys(removed.keys, under(keys, bench.key("b:")), "the keys that a clear says it has removed");
  std::vector<std::string> left;
  for (const std::string &key : keys)
    if (!key.starts_with(bench.key("b:"))) left.push_back(key);
  expect_keys(store.keys(bench.base()), left, "a listing after clear");
  expect_none(store.get(bench.key("b:k1")), "get of a key that was cleared");
  expect_ok(store.clear(bench.base(), false), "clear whose removed is null");
  expect_keys(store.keys(bench.base()), {}, "a listing after all was cleared");
}

void clears_nothing(Bench &bench) {
  const Page removed = bench.store().clear(bench.key("nothing:"));
  expect_ok(removed, "clear of a base without keys");
  expect_keys(removed.keys, {}, "the keys that a clear of a base without keys has removed");
}

void clears_no_neighbours(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> names = {"ab:x", "a-:x", "aa", "b:a:x"};
  for (const std::string &name : names) put(store, bench.key(name), "x");
  put(store, bench.key("a:x"), "x");
  const bool beside = store.can(OMNISTORE_NESTS);
  if (beside) put(store, bench.key("a"), "x");
  expect_ok(store.clear(bench.key("a:")), "clear of a:");
  for (const std::string &name : names)
    expect_value(store.get(bench.key(name)), "x", "get of " + name + " after clear of a:");
  if (beside) expect_value(store.get(bench.key("a")), "x", "get of a after clear of a:");
  expect_none(store.get(bench.key("a:x")), "get of a:x after clear of a:");
}

} // namespace

std::span<const Rule> listing_rules() {
  static constexpr Rule rules[] = {
      {"list-all", "Emits the keys under a base, a page at a time", 0, lists_all},
      {"list-refused", "list always returns OMNISTORE_UNSUPPORTED", for_readers | OMNISTORE_CANNOT_LIST,
       refuses_to_list},
      {"list-base", "only keys that start with it; it ends in ':' or is empty", 0, lists_a_base},
      {"list-nothing", "A base without keys is an empty page.", for_readers, lists_nothing},
      {"list-pages", "a run over all pages gives every key that was there throughout, none twice", 0, pages},
      {"list-resumes", "Its limit may be another.", 0, resumes},
      {"list-limit", "the most keys to emit in this page; it is at least 1", 0, limit_holds},
      {"list-depth", "only keys with at most this many ':' after the base", OMNISTORE_CAN_DEPTH, depths},
      {"list-order", "ascending by the keys' bytes", 0, in_order},
      {"list-meta", "requests meta with each key, if it is known without reading the value", OMNISTORE_CAN_LIST_META,
       lists_meta},
      {"list-meta-when-asked",
       "`meta` is the value's meta if it was requested and is known without reading the value, else null.",
       OMNISTORE_CAN_LIST_META, meta_only_when_asked},
      {"list-emit-fails", "If emit does not return OMNISTORE_OK, the driver stops and returns that status.", 0,
       emit_stops},
      {"list-cursor-lives",
       "At any later time, even after a restart, it must still be good, or be refused with OMNISTORE_INVALID.", 0,
       cursors_live},
      {"list-cursor-wrong", "or be refused with OMNISTORE_INVALID", 0, wrong_cursors},
      {"list-steady", "While others write, a run over all pages gives every key that was there throughout, none twice.",
       0, steady_while_others_write},
      {"clear", "Removes every key under a base", 0, clears_a_base},
      {"clear-nothing", "Removes every key under a base", 0, clears_nothing},
      {"clear-neighbours", "all keys that start with it", 0, clears_no_neighbours},
  };
  return rules;
}

} // namespace omnistore::kit
