// SPDX-License-Identifier: Apache-2.0
// Valid keys, and the limits that the traits state.
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// Valid names in keys that have a special meaning for file systems, servers, patterns or languages.
std::vector<std::string> strange_names() {
  return {"a b",
          "%20",
          "a%2Fb",
          "*",
          "[a]",
          "{b}",
          "\"",
          "'",
          "`",
          "#",
          "&x=1",
          "+",
          "-",
          "--x",
          "~",
          ".hidden",
          "...",
          "a.b",
          "a..b",
          "A",
          "a",
          "\xc3\xa9",
          "e\xcc\x81",
          "\xe4\xbd\xa0\xe5\xa5\xbd",
          "\xf0\x9f\x98\x80",
          "\t",
          "\n",
          "a\rb",
          "\x7f",
          "con",
          "nul.txt",
          "a ",
          " a",
          "a.",
          "a$b",
          "<>|",
          "1",
          "00",
          "null",
          "%s%n",
          ";drop",
          "a,b",
          "=",
          "@",
          "!",
          "^",
          std::string(200, 'n')};
}

/// Sets each key. If the driver refuses one, it must do so with the right status and store nothing.
void names_are_names(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> taken;
  for (const std::string &name : strange_names()) {
    const std::string key = bench.key(name);
    const CallResult done = store.set(key, "value of " + name);
    if (done.ok()) {
      taken.push_back(key);
      continue;
    }
    require(done.status == OMNISTORE_INVALID || done.status == OMNISTORE_TOO_LARGE ||
                done.status == OMNISTORE_UNSUPPORTED,
            "set of the key " + shown(key) + " came to " + shown(done) + "; a key that it cannot keep is INVALID");
  }
  for (const std::string &key : taken)
    expect_value(store.get(key), "value of " + key.substr(bench.base().size()), "get of the key " + shown(key));
  expect_listed(store, bench.base(), taken, "a listing of strange keys");
  for (const std::string &key : taken) expect_ok(store.remove(key), "remove of the key " + shown(key));
  expect_listed(store, bench.base(), {}, "a listing after all was removed");
}

void keys_nest(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> keys = {bench.key("a"), bench.key("a:b"), bench.key("a:b:c"), bench.key("d:e"),
                                         bench.key("d")};
  for (const std::string &key : keys) put(store, key, "at " + key);
  for (const std::string &key : keys) expect_value(store.get(key), "at " + key, "get of " + shown(key));
  expect_listed(store, bench.base(), keys, "a listing of keys in keys");
  expect_ok(store.remove(bench.key("a")), "remove of a");
  expect_none(store.get(bench.key("a")), "get of a after its removal");
  expect_value(store.get(bench.key("a:b")), "at " + bench.key("a:b"), "get of a:b after the removal of a");
  expect_ok(store.remove(bench.key("d:e")), "remove of d:e");
  expect_value(store.get(bench.key("d")), "at " + bench.key("d"), "get of d after the removal of d:e");
}

void without_nesting(Bench &bench) {
  Store &store = bench.store();
  if (store.can(OMNISTORE_NESTS)) throw Skipped("it claims OMNISTORE_NESTS");
  // It may refuse the second key, but an acknowledged value exists.
  put(store, bench.key("a"), "one");
  if (store.set(bench.key("a:b"), "two").ok()) expect_value(store.get(bench.key("a:b")), "two", "get of a:b");
  expect_value(store.get(bench.key("a")), "one", "get of a after a set of a:b");
}

void neighbours(Bench &bench) {
  Store &store = bench.store();
  const std::vector<std::string> names = {"ab", "a-b", "abc", "a:b", "aa", "b:a"};
  for (const std::string &name : names) put(store, bench.key(name), "at " + name);
  for (const std::string &name : names) expect_value(store.get(bench.key(name)), "at " + name, "get of " + shown(name));
}

std::string key_of_size(Bench &bench, std::size_t size) {
  std::string key = bench.base();
  while (key.size() < size) {
    const std::size_t left = size - key.size();
    key += std::string(std::min<std::size_t>(left, 100), 'k');
    if (left > 101) key += ':';
  }
  return key;
}

void longest_key(Bench &bench) {
  Store &store = bench.store();
  const std::uint64_t stated = store.traits().max_key_size;
  const std::size_t size = stated && stated < 4096 ? static_cast<std::size_t>(stated) : 4096;
  if (size < bench.base().size() + 10) throw Skipped("its keys are too short to be tried");
  const std::string key = key_of_size(bench, size);
  put(store, key, "far");
  expect_value(store.get(key), "far", "get of a key of " + std::to_string(size) + " bytes");
  expect_ok(store.stat(key), "stat of it");
  expect_listed(store, bench.base(), {key}, "a listing of it");
  if (store.can(OMNISTORE_CAN_TTL) && store.driver().touch) expect_ok(store.touch(key, 0), "touch of it");
  expect_ok(store.remove(key), "remove of it");
  expect_none(store.get(key), "get after its removal");
}

void cursor_of_longest_keys(Bench &bench) {
  Store &store = bench.store();
  const std::uint64_t stated = store.traits().max_key_size;
  const std::size_t size = stated && stated < 4096 ? static_cast<std::size_t>(stated) : 4096;
  if (size < bench.base().size() + 10) throw Skipped("its keys are too short to be tried");
  const std::string one = key_of_size(bench, size), two = one.substr(0, one.size() - 1) + "l";
  put(store, one, "far");
  put(store, two, "far");
  expect_keys(store.keys(bench.base(), 1), {one, two}, "a listing of the longest keys, page by page");
}

void too_long_key(Bench &bench) {
  Store &store = bench.store();
  const std::uint64_t stated = store.traits().max_key_size;
  if (!stated || stated >= 4096) throw Skipped("it takes every key");
  const std::string key = key_of_size(bench, stated + 1);
  const CallResult done = store.set(key, "x");
  if (done.ok()) { // it takes more than it states
    expect_value(store.get(key), "x", "get of a key over max_key_size, which was taken");
    expect_listed(store, bench.base(), {key}, "a listing of it");
    return;
  }
  require(done.status == OMNISTORE_TOO_LARGE || done.status == OMNISTORE_INVALID,
          "set of a key over max_key_size returned " + shown(done) + "; expected TOO_LARGE");
}

void largest_value(Bench &bench) {
  Store &store = bench.store();
  const std::uint64_t most = store.traits().max_value_size;
  if (!most || most > (64u << 20)) throw Skipped("it states no limit that can be tried");
  put(store, bench.key("old"), "old");
  expect(store.set(bench.key("old"), std::string(most + 1, 'x')), OMNISTORE_TOO_LARGE,
         "set of max_value_size + 1 bytes");
  expect_value(store.get(bench.key("old")), "old", "get after a value that was too large");
  const std::string value = bytes_of(most);
  put(store, bench.key("old"), value);
  expect_value(store.get(bench.key("old")), value, "get of a value of max_value_size");
}

/// A value and its user meta that are together as long as may be, and longer.
void user_counts(Bench &bench) {
  Store &store = bench.store();
  const std::uint64_t most = store.traits().max_value_size;
  if (!most || most > (64u << 20)) throw Skipped("it states no limit that can be tried");
  const std::string user = bytes_of(std::min<std::uint64_t>(1000, most / 2)), value = bytes_of(most - user.size());
  const std::string key = bench.key("u");
  const auto expect_both = [&](std::string_view bytes, const std::string &meta, const std::string &what) {
    expect_value(store.get(key), bytes, "get of " + what);
    require(store.stat(key, OMNISTORE_GET_USER).known_meta().user == meta, "other user meta than that of " + what);
  };
  put(store, key, value, {.user = user});
  expect_both(value, user, "a value and user meta of max_value_size together");
  put(store, key, "old", {.user = "mine"});
  const std::string longer = bytes_of(most);
  const CallResult done = store.set(key, longer, {.user = user});
  if (done.ok()) return expect_both(longer, user, "a value and user meta over max_value_size, which were taken");
  expect(done, OMNISTORE_TOO_LARGE, "set of a value and user meta over max_value_size");
  expect_both("old", "mine", "the value before one that was too large");
}

} // namespace

std::span<const Rule> key_rules() {
  static constexpr Rule rules[] = {
      {"keys-strange", "Keys are normalised: UTF-8 without NUL", 0, names_are_names},
      {"keys-nest", "`a` and `a:b` can both be keys", OMNISTORE_NESTS, keys_nest},
      {"keys-without-nesting", "Stores a value in place of any older one, whole", 0, without_nesting},
      {"keys-apart", "A key that ends in `$` belongs to a layer or the host", OMNISTORE_NESTS, neighbours},
      {"key-longest", "bytes; 0 if the store has no limit of its own", 0, longest_key},
      {"list-cursor-size", "has at most OMNISTORE_MAX_CURSOR_SIZE bytes", 0, cursor_of_longest_keys},
      {"key-too-long", "over a limit that the traits state", 0, too_long_key},
      {"value-largest", "over a limit that the traits state", 0, largest_value},
      {"value-with-user", "bytes of a value and its user meta together; 0 if there is no limit", OMNISTORE_CAN_META,
       user_counts},
  };
  return rules;
}

} // namespace omnistore::kit
