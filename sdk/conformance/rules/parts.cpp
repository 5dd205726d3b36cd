// SPDX-License-Identifier: Apache-2.0
// Listings that show a part, or in another way: ranges, the descending order, and folders.
#include <set>

#include "expect.hpp"
#include "planted.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// Returns what a listing of these keys shows, worked out key by key.
std::vector<std::string> right_of(const std::vector<std::string> &keys, const std::string &base,
                                  const ListOptions &how) {
  std::set<std::string> names;
  for (const std::string &key : under(keys, base)) {
    std::string name = key;
    std::size_t end = base.size();
    for (std::uint32_t depth = 0; how.depth != OMNISTORE_ANY_DEPTH && depth <= how.depth && end != key.npos; ++depth) {
      end = key.find(':', end);
      if (end == key.npos) break;
      ++end;
      if (depth == how.depth) name = how.folders ? key.substr(0, end) : std::string();
    }
    if (!name.empty() && name >= how.start && (how.end.empty() || name < how.end)) names.insert(name);
  }
  std::vector<std::string> right(names.begin(), names.end());
  if (how.reverse) std::reverse(right.begin(), right.end());
  return right;
}

std::string text_of(Bench &bench, const ListOptions &how) {
  const auto inner = [&](const std::string &bound) {
    return shown(bound.starts_with(bench.base()) ? bound.substr(bench.base().size()) : bound);
  };
  std::string text = "a listing";
  if (!how.start.empty()) text += " from " + inner(how.start);
  if (!how.end.empty()) text += " to " + inner(how.end);
  if (how.depth != OMNISTORE_ANY_DEPTH) text += " of depth " + std::to_string(how.depth);
  if (how.folders) text += " with folders";
  if (how.reverse) text += " in descending order";
  return text + " by pages of " + std::to_string(how.limit);
}

/// Lists by pages of several sizes. The order is compared if the store has one.
void expect_listing(Bench &bench, const std::vector<std::string> &keys, ListOptions how) {
  const std::vector<std::string> right = right_of(keys, bench.base(), how);
  for (const std::uint32_t limit : {1u, 2u, 5u, 1000u}) {
    how.limit = limit;
    const std::vector<std::string> found = bench.store().names(bench.base(), how);
    expect_keys(found, right, text_of(bench, how));
    if (bench.store().traits().order >= OMNISTORE_ORDER_KEYS)
      require(found == right, text_of(bench, how) + " gives " + joined(found) + "; right is " + joined(right));
  }
}

void ranges_of_names(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  for (const auto &[start, end] : std::vector<std::pair<const char *, const char *>>{
           {"a:k3", "b:k2"}, {"b:c:k0", "b:c:k6"}, {"top0", "top9"}, {"a", "b"}, {"b", "top4x"}, {"a:k6", "a:k6x"}})
    expect_listing(bench, keys, {.start = bench.key(start), .end = bench.key(end)});
  expect_listing(bench, keys, {.start = bench.key("b:c:k4")});
  expect_listing(bench, keys, {.end = bench.key("b:c:k4")});
}

void ranges_of_any_bytes(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  const std::string nul(1, '\0'), before = bench.base().substr(0, bench.base().size() - 1);
  const std::string bounds[] = {nul,
                                before,
                                bench.base(),
                                bench.key("a:k3") + nul,
                                bench.key("b:") + std::string(OMNISTORE_MAX_KEY_SIZE, '\xff'),
                                bench.key("top\xff"),
                                before + ";",
                                std::string(OMNISTORE_MAX_CURSOR_SIZE, '\xff')};
  for (const std::string &bound : bounds) {
    expect_listing(bench, keys, {.start = bound});
    expect_listing(bench, keys, {.end = bound});
  }
}

void ranges_without_names(Bench &bench) {
  plant(bench);
  for (const auto &[start, end] :
       std::vector<std::pair<const char *, const char *>>{{"b", "b"}, {"top4", "a"}, {"b:c:k2", "b:c:k1"}})
    expect_listing(bench, {}, {.start = bench.key(start), .end = bench.key(end)});
}

void descends(Bench &bench) {
  std::vector<std::string> keys = plant(bench);
  for (const std::string name : {"a!x", "a~x", "A", "\xc3\xa9"}) {
    put(bench.store(), bench.key(name), "x");
    keys.push_back(bench.key(name));
  }
  expect_listing(bench, keys, {.reverse = true});
  expect_listing(bench, keys, {.depth = 0, .reverse = true});
}

void descends_in_a_range(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  expect_listing(bench, keys, {.start = bench.key("a:k3"), .end = bench.key("top2"), .reverse = true});
  expect_listing(bench, keys, {.start = bench.key("b:c:k4"), .reverse = true});
  expect_listing(bench, keys, {.end = bench.key("b:c:k4"), .reverse = true});
}

void folders(Bench &bench) {
  std::vector<std::string> keys = plant(bench);
  put(bench.store(), bench.key("deep:below:other:key"), "x");
  keys.push_back(bench.key("deep:below:other:key"));
  for (const std::uint32_t depth : {0u, 1u, 2u, 7u}) expect_listing(bench, keys, {.depth = depth, .folders = true});
}

void folders_once(Bench &bench) {
  Store &store = bench.store();
  plant(bench);
  ListOptions how{.depth = 0, .limit = 1, .folders = true};
  std::set<std::string> given;
  for (int pages = 0;; ++pages) {
    require(pages < 1000, "a listing of a few names gave 1000 pages");
    const Page page = store.list(bench.base(), how);
    expect_ok(page, "a page of a listing with folders");
    for (const std::string &name : page.keys) {
      require(given.insert(name).second, "the folder " + shown(name) + " comes twice while its keys change");
      if (!name.ends_with(':')) continue;
      put(store, name + "new", "came after its folder was given");
      put(store, name + "zzz", "came after its folder was given");
      store.remove(name + "k0");
    }
    if (page.cursor.empty()) break;
    how.cursor = page.cursor;
  }
  for (const std::string name : {"a:", "b:", "top0", "top8"})
    require(given.contains(bench.key(name)), "a listing with folders lacks " + name);
}

void folders_count(Bench &bench) {
  plant(bench);
  for (const std::uint32_t limit : {1u, 2u, 3u})
    expect_ok(bench.store().list(bench.base(), {.depth = 0, .limit = limit, .folders = true}), "a page"); // see emit
}

void folders_have_no_meta(Bench &bench) {
  plant(bench);
  expect_ok(bench.store().list(bench.base(), {.depth = 0, .meta = true, .folders = true}), "a page"); // see emit
}

void folders_in_order(Bench &bench) {
  Store &store = bench.store();
  if (store.traits().order < OMNISTORE_ORDER_KEYS) throw Skipped("it claims no order");
  std::vector<std::string> keys;
  for (const std::string name : {"a!", "a:b", "a;", "b:x", "c"}) keys.push_back(bench.key(name));
  if (store.can(OMNISTORE_NESTS))
    for (const std::string name : {"a", "a!:x"}) keys.push_back(bench.key(name));
  for (const std::string &key : keys) put(store, key, "x");
  expect_listing(bench, keys, {.depth = 0, .folders = true});
  if (store.can(OMNISTORE_CAN_LIST_REVERSE))
    expect_listing(bench, keys, {.depth = 0, .reverse = true, .folders = true});
}

void folders_in_a_range(Bench &bench) {
  const std::vector<std::string> keys = plant(bench);
  for (const char *bound : {"a", "a:", "a:a", "a:k3", "a;", "b:c:k3", "b:", "top1"}) {
    for (const std::uint32_t depth : {0u, 1u}) {
      expect_listing(bench, keys, {.depth = depth, .start = bench.key(bound), .folders = true});
      expect_listing(bench, keys, {.depth = depth, .end = bench.key(bound), .folders = true});
    }
    if (bench.store().can(OMNISTORE_CAN_LIST_REVERSE))
      expect_listing(bench, keys,
                     {.depth = 0, .start = bench.key("a:"), .end = bench.key(bound), .reverse = true, .folders = true});
  }
}

void folders_go(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> keys = plant(bench);
  for (const std::string &key : under(keys, bench.key("a:"))) expect_ok(store.remove(key), "remove of " + shown(key));
  for (const std::string &key : under(keys, bench.key("b:c:"))) expect_ok(store.remove(key), "remove of " + shown(key));
  std::erase_if(keys, [&](const std::string &key) {
    return key.starts_with(bench.key("a:")) || key.starts_with(bench.key("b:c:"));
  });
  for (const std::uint32_t depth : {0u, 1u}) expect_listing(bench, keys, {.depth = depth, .folders = true});
}

void folders_of_any_depth(Bench &bench) { expect_listing(bench, plant(bench), {.folders = true}); }

} // namespace

std::span<const Rule> part_rules() {
  static constexpr std::uint64_t range = OMNISTORE_CAN_LIST_RANGE, reverse = OMNISTORE_CAN_LIST_REVERSE,
                                 folder = OMNISTORE_CAN_LIST_FOLDERS;
  static constexpr Rule rules[] = {
      {"list-range", "A listing emits only names that are not less than `start` and are less than `end`.", range,
       ranges_of_names},
      {"list-range-any", "it need not be a key, and need not start with the base", range, ranges_of_any_bytes},
      {"list-range-empty", "If `end` is not greater than `start`, the page is empty.", range, ranges_without_names},
      {"list-reverse", "With OMNISTORE_LIST_REVERSE the names come in descending order of their bytes.", reverse,
       descends},
      {"list-reverse-range", "`start` stays the lower bound and `end` the upper one.", range | reverse,
       descends_in_a_range},
      {"list-folders", "With OMNISTORE_LIST_FOLDERS each key that `depth` leaves out is emitted as its folder", folder,
       folders},
      {"list-folders-once", "A folder is emitted once over all pages, even if keys of it come or go meanwhile.", folder,
       folders_once},
      {"list-folders-limit", "It counts as one of the `limit` keys of its page, and has no meta.", folder,
       folders_count},
      {"list-folders-meta", "It counts as one of the `limit` keys of its page, and has no meta.", folder,
       folders_have_no_meta},
      {"list-folders-order", "In a listing in the order of keys it comes in the order of its name", folder,
       folders_in_order},
      {"list-folders-range", "It is in the range if its own name is, whichever keys it has.", range | folder,
       folders_in_a_range},
      {"list-folders-removed", "A folder whose keys were all removed is not emitted.", folder, folders_go},
      {"list-folders-any-depth", "With OMNISTORE_ANY_DEPTH the flag changes nothing.", folder, folders_of_any_depth},
  };
  return rules;
}

} // namespace omnistore::kit
