// SPDX-License-Identifier: Apache-2.0
// Values that go out through sinks and come in from sources.
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

void fills_buffers(Bench &bench) {
  Store &store = bench.store();
  for (const std::size_t size : {0u, 1u, 4096u, 300'000u}) {
    const std::string value = bytes_of(fitting(store, size));
    put(store, bench.key("b"), value);
    expect_value(store.get(bench.key("b"), {.into = {.buffer = true}}), value, "get into a buffer");
  }
}

void failing_begin(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("b"), bytes_of(fitting(store, 100'000)));
  expect(store.get(bench.key("b"), {.into = {.begin_fails = OMNISTORE_NO_SPACE}}), OMNISTORE_NO_SPACE,
         "get whose sink's begin returned NO_SPACE");
  expect_value(store.get(bench.key("b")), bytes_of(fitting(store, 100'000)), "get after a sink that failed");
}

void failing_write(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("b"), bytes_of(fitting(store, 1'000'000)));
  for (const bool loans : {false, true})
    expect(store.get(bench.key("b"), {.into = {.loans = loans, .write_fails = OMNISTORE_TIMEOUT}}), OMNISTORE_TIMEOUT,
           "get whose sink's write returned TIMEOUT");
  expect_value(store.get(bench.key("b")), bytes_of(fitting(store, 1'000'000)), "get after a sink that failed");
}

void loans_stay(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("l"), value = bytes_of(fitting(store, 3'000'000));
  put(store, key, value);
  bool lent = false;
  for (const bool removed : {false, true}) {
    put(store, key, value);
    GetOptions reading;
    reading.into.loans = true;
    reading.into.while_lent = [&] {
      if (removed)
        store.remove(key);
      else
        put(store, key, bytes_of(fitting(store, 3'000'000), 9));
    };
    const GetResult got = store.get(key, reading);
    expect_value(got, value, "get by a sink that takes loans");
    lent |= got.lent;
  }
  if (!lent) throw Skipped("it lends nothing");
}

void takes_sources(Bench &bench) {
  Store &store = bench.store();
  const std::string value = bytes_of(fitting(store, 400'000));
  const auto pieces = [&](std::size_t size) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at < value.size(); at += size) all.push_back(value.substr(at, size));
    return all;
  };
  for (const std::size_t size : {1'000u, 65'536u, 400'000u}) {
    for (const std::uint64_t announced : {static_cast<std::uint64_t>(value.size()), OMNISTORE_UNKNOWN_SIZE}) {
      const Pieces source{pieces(size), announced};
      expect_ok(store.set(bench.key("s"), "", {.source = &source}), "set from a source");
      expect_value(store.get(bench.key("s")), value, "get after set from a source");
    }
  }
  const Pieces nothing{{}, 0};
  expect_ok(store.set(bench.key("s"), "", {.source = &nothing}), "set from an empty source");
  expect_value(store.get(bench.key("s")), "", "get after set from an empty source");
}

void failing_source(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("s"), "old");
  const Pieces source{
      {bytes_of(fitting(store, 140'000) / 2), bytes_of(fitting(store, 140'000) / 2)}, 200'000, OMNISTORE_TIMEOUT};
  expect(store.set(bench.key("s"), "", {.source = &source}), OMNISTORE_TIMEOUT, "set whose source failed with TIMEOUT");
  expect_value(store.get(bench.key("s")), "old", "get after a set whose source failed");
  expect_listed(store, bench.base(), {bench.key("s")}, "a listing after a set whose source failed");
}

void wrong_size(Bench &bench) {
  Store &store = bench.store();
  if (fitting(store, 100'000) < 100'000) throw Skipped("it takes no values of 100000 bytes");
  put(store, bench.key("s"), "old");
  for (const std::uint64_t announced : {99'999ull, 100'001ull, 0ull}) {
    const Pieces source{{bytes_of(50'000), bytes_of(50'000)}, announced};
    const CallResult done = store.set(bench.key("s"), "", {.source = &source});
    require(!done.ok(), "set took 100000 bytes from a source that announced " + std::to_string(announced));
    expect_value(store.get(bench.key("s")), "old", "get after a source of another size than announced");
  }
}

} // namespace

std::span<const Rule> sink_rules() {
  static constexpr Rule rules[] = {
      {"sink-buffer", "Bytes that already lie in their place in begin's buffer are passed on by the same call", 0,
       fills_buffers},
      {"sink-begin-fails", "If begin or write does not return OMNISTORE_OK, the driver stops and returns that status.",
       0, failing_begin},
      {"sink-write-fails", "If begin or write does not return OMNISTORE_OK, the driver stops and returns that status.",
       0, failing_write},
      {"sink-loans", "they stay at their address and unchanged until the host calls release(owner, item)", 0,
       loans_stay},
      {"source", "Reads up to `capacity` bytes into `buffer` and stores their number in *read, which is 0 at the end.",
       OMNISTORE_CAN_STREAM, takes_sources},
      {"source-fails", "the driver keeps the old value and returns that status", OMNISTORE_CAN_STREAM, failing_source},
      {"source-size", "Less or more is a failure", OMNISTORE_CAN_STREAM, wrong_size},
  };
  return rules;
}

} // namespace omnistore::kit
