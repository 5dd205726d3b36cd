// SPDX-License-Identifier: Apache-2.0
// Etags, times, and the user's own meta.
#include <set>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

void etags_change(Bench &bench) {
  Store &store = bench.store();
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    put(store, bench.key("e"), "value " + std::to_string(100 + i)); // of one size, within one millisecond or two
    const std::string etag = etag_of(store, bench.key("e"));
    require(!etag.empty(), "it claims OMNISTORE_CAN_ETAG, and stat with OMNISTORE_GET_META gives none");
    require(seen.insert(etag).second,
            "value number " + std::to_string(i + 1) + " has the etag " + shown(etag) + " of an earlier one");
  }
}

void etags_have_their_form(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t size : {0u, 1u, 9000u}) {
    put(store, bench.key("e"), bytes_of(fitting(store, size)));
    etag_of(store, bench.key("e")); // which is checked as it comes
  }
}

void etags_agree(Bench &bench) {
  Store &store = bench.store();
  const CallResult set = store.set(bench.key("e"), "value", {.wants_meta = true});
  expect_ok(set, "set with a sink");
  const std::string etag = etag_of(store, bench.key("e"));
  if (set.meta)
    require(set.known_meta().etag.empty() || set.known_meta().etag == etag,
            "set gave the etag " + shown(set.known_meta().etag) + ", stat gives " + shown(etag));
  require(etag_of(store, bench.key("e")) == etag, "two stats of an unchanged value give two etags");
  const GetResult got = store.get(bench.key("e"), {.flags = OMNISTORE_GET_META});
  require(got.known_meta().etag.empty() || got.known_meta().etag == etag,
          "get gave the etag " + shown(got.known_meta().etag) + ", stat gives " + shown(etag));
}

void etags_only_when_asked(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("e"), "value");
  require(store.stat(bench.key("e")).known_meta().etag.empty(), "stat gives an etag without OMNISTORE_GET_META");
  require(store.get(bench.key("e")).known_meta().etag.empty(), "get gives an etag without OMNISTORE_GET_META");
}

void etags_after_removal(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("e"), "first");
  const std::string first = etag_of(store, bench.key("e"));
  expect_ok(store.remove(bench.key("e")), "remove");
  put(store, bench.key("e"), "other");
  require(etag_of(store, bench.key("e")) != first,
          "a value that was set after a removal has the etag of the one before it");
}

void times_are_times(Bench &bench) {
  Store &store = bench.store();
  const std::int64_t before = KitHost::time() - 2000;
  put(store, bench.key("t"), "value");
  const GetResult found = store.stat(bench.key("t"));
  const std::int64_t after = KitHost::time() + 2000;
  if (!found.known_meta().mtime) throw Skipped("it gives no times");
  require(found.known_meta().mtime >= before && found.known_meta().mtime <= after,
          "the mtime of a value that was just set is " + std::to_string(found.known_meta().mtime) + ", the time is " +
              std::to_string(KitHost::time()));
  require(found.known_meta().expiry == 0, "a value that was set without an expiry has one");
}

void user_is_kept(Bench &bench) {
  Store &store = bench.store();
  const std::string users[] = {"{\"a\":1}", "x", std::string("\0\xff\n", 3), bytes_of(10'000)};
  for (const std::string &user : users) {
    put(store, bench.key("u"), "value", {.user = user});
    const GetResult found = store.stat(bench.key("u"), OMNISTORE_GET_META | OMNISTORE_GET_USER);
    expect_ok(found, "stat with OMNISTORE_GET_USER");
    require(found.known_meta().user_known && found.known_meta().user == user,
            "stat with OMNISTORE_GET_USER gives " + shown(found.known_meta().user) + "; " + shown(user) + " was set");
    const GetResult got = store.get(bench.key("u"), {.flags = OMNISTORE_GET_USER});
    expect_value(got, "value", "get with OMNISTORE_GET_USER");
    require(!got.known_meta().user_known || got.known_meta().user == user,
            "get with OMNISTORE_GET_USER gives " + shown(got.known_meta().user));
  }
}

void user_only_when_asked(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("u"), "value", {.user = "mine"});
  require(store.stat(bench.key("u"), OMNISTORE_GET_META).known_meta().user.empty(),
          "stat gives user meta without OMNISTORE_GET_USER");
  require(store.get(bench.key("u")).known_meta().user.empty(), "get gives user meta without OMNISTORE_GET_USER");
}

void user_ends_with_its_value(Bench &bench) {
  Store &store = bench.store();
  const auto user = [&] {
    const GetResult found = store.stat(bench.key("u"), OMNISTORE_GET_USER);
    expect_ok(found, "stat with OMNISTORE_GET_USER");
    return found.known_meta().user;
  };
  put(store, bench.key("u"), "value", {.user = "mine"});
  put(store, bench.key("u"), "other");
  require(user().empty(), "the user meta outlived the value: " + shown(user()) + " after a set without one");
  put(store, bench.key("u"), "value", {.user = "mine"});
  expect_ok(store.remove(bench.key("u")), "remove");
  put(store, bench.key("u"), "other");
  require(user().empty(), "the user meta outlived the value's removal");
  expect_listed(store, bench.base(), {bench.key("u")}, "a listing of one value with user meta");
}

void touch_user(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("u"), "value", {.user = "old"});
  const GetResult before = store.stat(bench.key("u"), OMNISTORE_GET_META);
  for (const std::string user : {"new", "", "newer"}) {
    expect_ok(store.touch(bench.key("u"), {}, user), "touch of the user meta");
    const GetResult after = store.stat(bench.key("u"), OMNISTORE_GET_META | OMNISTORE_GET_USER);
    require(after.known_meta().user == user,
            "after touch the user meta is " + shown(after.known_meta().user) + "; expected " + shown(user));
    require(after.known_meta().etag == before.known_meta().etag, "touch changed the etag");
    require(after.known_meta().mtime == before.known_meta().mtime, "touch changed the mtime");
  }
  expect_value(store.get(bench.key("u")), "value", "get after touch");
  expect(store.touch(bench.key("missing"), {}, "x"), OMNISTORE_NOT_FOUND, "touch of a key that was never set");
}

} // namespace

std::span<const Rule> meta_rules() {
  static constexpr Rule rules[] = {
      {"etag-changes", "differs for each different value of the key", OMNISTORE_CAN_ETAG, etags_change},
      {"etag-form", "Opaque: 1 to 64 bytes of printable ASCII without quotes", OMNISTORE_CAN_ETAG,
       etags_have_their_form},
      {"etag-agrees", "the driver calls its begin once with the new value's meta", OMNISTORE_CAN_ETAG, etags_agree},
      {"etag-when-asked", "Without the flag leave it empty", OMNISTORE_CAN_ETAG, etags_only_when_asked},
      {"etag-after-removal", "differs for each different value of the key", OMNISTORE_CAN_ETAG, etags_after_removal},
      {"mtime", "when the value was last set, or 0 if unknown", 0, times_are_times},
      {"user-kept", "the user's own meta, byte for byte", OMNISTORE_CAN_META, user_is_kept},
      {"user-when-asked", "Without the flag leave it empty, and spend nothing on it.", OMNISTORE_CAN_META,
       user_only_when_asked},
      {"user-ends", "ends with it, however the value ends", OMNISTORE_CAN_META, user_ends_with_its_value},
      {"user-touch", "its etag and mtime stay", OMNISTORE_CAN_META, touch_user},
  };
  return rules;
}

} // namespace omnistore::kit
