// SPDX-License-Identifier: Apache-2.0
// get, stat, set and remove.
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

void missing_is_not_found(Bench &bench) {
  Store &store = bench.store();
  expect_none(store.get(bench.key("missing")), "get of a key that was never set");
  expect_none(store.stat(bench.key("missing")), "stat of a key that was never set");
}

void remove_missing(Bench &bench) {
  expect(bench.store().remove(bench.key("missing")), OMNISTORE_NOT_FOUND, "remove of a key that was never set");
}

void gives_what_was_set(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t size : {1u, 2u, 7u, 8u, 63u, 64u, 255u, 256u, 1023u, 4096u, 65'535u, 65'536u, 100'001u}) {
    const std::string value = bytes_of(fitting(store, size), static_cast<unsigned>(size));
    put(store, bench.key("v"), value);
    expect_value(store.get(bench.key("v")), value, "get after set of " + std::to_string(value.size()) + " bytes");
  }
  const std::string values[] = {
      std::string("\0", 1), std::string("a\0b", 3), "\xff\xfe\x80", "\r\n", "null", "{}", " ", "%00"};
  for (const std::string &value : values) {
    put(store, bench.key("v"), value);
    expect_value(store.get(bench.key("v")), value, "get after set");
  }
}

void empty_is_a_value(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("empty"), "");
  expect_value(store.get(bench.key("empty")), "", "get of an empty value");
  const GetResult found = store.stat(bench.key("empty"));
  expect_ok(found, "stat of an empty value");
  require(found.known_meta().size == 0 || found.known_meta().size == OMNISTORE_UNKNOWN_SIZE,
          "an empty value has " + std::to_string(found.known_meta().size) + " bytes");
  expect_listed(store, bench.base(), {bench.key("empty")}, "a listing of one empty value");
}

void long_values(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t size : {1u << 20, (8u << 20) + 3}) {
    const std::string value = bytes_of(fitting(store, size));
    put(store, bench.key("long"), value);
    expect_value(store.get(bench.key("long")), value, "get of " + std::to_string(value.size()) + " bytes");
  }
}

void stat_gives_no_bytes(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t size : {1u, 5000u, 200'000u}) {
    put(store, bench.key("s"), bytes_of(fitting(store, size)));
    expect_ok(store.stat(bench.key("s"), OMNISTORE_GET_META), "stat"); // whose sink takes no bytes
  }
}

void set_replaces(Bench &bench) {
  Store &store = bench.store();
  const std::string first = bytes_of(fitting(store, 5000), 1), second = bytes_of(17, 2),
                    third = bytes_of(fitting(store, 9000), 3);
  for (const std::string &value : {first, second, third, second}) {
    put(store, bench.key("r"), value);
    expect_value(store.get(bench.key("r")), value, "get after a value was replaced");
    const GetResult found = store.stat(bench.key("r"));
    require(!found.meta || found.known_meta().size == OMNISTORE_UNKNOWN_SIZE || found.known_meta().size == value.size(),
            "stat gives a size of " + std::to_string(found.meta ? found.known_meta().size : 0) + " for a value of " +
                std::to_string(value.size()) + " bytes");
  }
}

void size_is_true(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t wanted : {0u, 1u, 999u, 70'000u}) {
    const std::size_t size = fitting(store, wanted);
    put(store, bench.key("s"), bytes_of(size));
    const GetResult found = store.stat(bench.key("s")), read = store.get(bench.key("s"));
    expect_ok(found, "stat");
    require(found.known_meta().size == size || found.known_meta().size == OMNISTORE_UNKNOWN_SIZE,
            "stat gives " + std::to_string(found.known_meta().size) + " bytes for a value of " + std::to_string(size));
    require(read.known_meta().size == size || read.known_meta().size == OMNISTORE_UNKNOWN_SIZE,
            "get announces " + std::to_string(read.known_meta().size) + " bytes for a value of " +
                std::to_string(size));
  }
}

void remove_removes(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("gone"), "value");
  put(store, bench.key("stays"), "value");
  expect_ok(store.remove(bench.key("gone")), "remove");
  expect_none(store.get(bench.key("gone")), "get after remove");
  expect_none(store.stat(bench.key("gone")), "stat after remove");
  expect(store.remove(bench.key("gone")), OMNISTORE_NOT_FOUND, "a second remove");
  expect_value(store.get(bench.key("stays")), "value", "get of another key");
  expect_listed(store, bench.base(), {bench.key("stays")}, "a listing after remove");
  put(store, bench.key("gone"), "again");
  expect_value(store.get(bench.key("gone")), "again", "get after remove and set");
}

void refuses_writes(Bench &bench) {
  if (!bench.store().can(OMNISTORE_READS_ONLY)) throw Skipped("it takes writes");
  expect(bench.store().set(bench.key("w"), "value"), OMNISTORE_READ_ONLY, "set on a store that reads only");
  expect(bench.store().remove(bench.key("w")), OMNISTORE_READ_ONLY, "remove on a store that reads only");
}

void ranges(Bench &bench) {
  Store &store = bench.store();
  const std::string value = bytes_of(10'000);
  if (fitting(store, value.size()) < value.size()) throw Skipped("it takes no values of 10000 bytes");
  put(store, bench.key("r"), value);
  static constexpr struct {
    std::uint64_t offset, length;
  } parts[] = {{0, 1},          {0, 10'000},
               {0, UINT64_MAX}, {1, 1},
               {4095, 2},       {9999, 1},
               {9999, 100},     {5000, UINT64_MAX},
               {10'000, 1},     {10'001, 5},
               {UINT64_MAX, 1}, {0, 0},
               {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}};
  for (const auto &[offset, length] : parts) {
    const std::string right = offset < value.size() ? value.substr(offset, length) : std::string();
    const GetResult got = store.get(bench.key("r"), {.offset = offset, .length = length});
    expect_value(got, right, "get of " + std::to_string(length) + " bytes from " + std::to_string(offset));
    require(got.known_meta().size == value.size() || got.known_meta().size == OMNISTORE_UNKNOWN_SIZE,
            "value_size is that of the range, not of the whole value");
  }
}

void reads_change_nothing(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("same"), "value");
  for (int i = 0; i < 20; ++i) {
    expect_value(store.get(bench.key("same")), "value", "get number " + std::to_string(i));
    expect_ok(store.stat(bench.key("same")), "stat number " + std::to_string(i));
  }
}

} // namespace

std::span<const Rule> value_rules() {
  static constexpr Rule rules[] = {
      {"get-missing", "Returns OMNISTORE_NOT_FOUND, without a begin, if the key has no value or the value has expired.",
       for_readers, missing_is_not_found},
      {"remove-missing", "Removes a value. Returns OMNISTORE_NOT_FOUND if there was none", 0, remove_missing},
      {"get-what-was-set", "Stores a value in place of any older one, whole", 0, gives_what_was_set},
      {"set-empty", "An empty value is a value.", 0, empty_is_a_value},
      {"set-long", "bytes of a value and its user meta together; 0 if there is no limit", 0, long_values},
      {"stat-no-bytes", "A stat reads no bytes", 0, stat_gives_no_bytes},
      {"set-replaces", "Stores a value in place of any older one", 0, set_replaces},
      {"size-true", "of the whole value, in bytes", 0, size_is_true},
      {"remove", "Removes a value.", 0, remove_removes},
      {"read-only", "OMNISTORE_READ_ONLY", for_readers, refuses_writes},
      {"range", "the part of the value that lies in the request's range", OMNISTORE_CAN_RANGE, ranges},
      {"reads-change-nothing", "Reads a value.", 0, reads_change_nothing},
  };
  return rules;
}

} // namespace omnistore::kit
