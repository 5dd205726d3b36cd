// SPDX-License-Identifier: Apache-2.0
// bench_ages: values that age. Tasks fresh and stale: reads of a cache's copies (memory before an origin that does not
// response). `bench_ages expire COUNT` instead: so many keys that expire at one moment, and how long they stay and hold
// up a reader of another.
#include <atomic>
#include <optional>
#include <thread>

#include <omnistore/storage.hpp>

#include "base/clock.hpp"
#include "support/origin.hpp"
#include "worker.hpp"

namespace {

constexpr int count = 500; // fewer than refreshes that may wait
constexpr std::size_t value_size = 1024;

omnistore::Storage open(const std::string &mounts) {
  return omnistore::Storage(
      omnistore::Config::parse(R"({ "plugins": { "paths": [")" OMNISTORE_PLUGINS R"("] }, "mounts": )" + mounts + "}",
                               "bench", {}, [](const std::string &) { return std::nullopt; }));
}

struct Ages {
  Ages() {
    for (int i = 0; i < count; ++i) {
      origin.serve("/k" + std::to_string(i), bench::value(value_size, static_cast<std::uint32_t>(i)), "\"1\"");
      fresh_keys.push_back("fresh:k" + std::to_string(i));
      stale_keys.push_back("stale:k" + std::to_string(i));
    }
    const auto mount = [&](const std::string &max_age) {
      return R"({ "driver": "memory", "invalidation": { "maxAge": ")" + max_age +
             R"(" }, "origin": { "driver": "http", "options": { "base": ")" + origin.url() +
             R"(", "timeout": "1h" } } })";
    };
    storage.emplace(open("{ \"fresh\": " + mount("1d") + ", \"stale\": " + mount("1ms") + " }"));
  }

  void load() {
    std::string value;
    for (const auto *keys : {&fresh_keys, &stale_keys})
      for (const std::string &key : *keys) storage->get(key, value);
    omnistore::advance_clock(1000); // what is to be stale is
    origin.hold();
    for (const std::string &key : stale_keys) storage->get(key, value); // whose refreshes now wait
  }

  bench::Result read(const std::vector<std::string> &keys, double seconds) {
    std::string value;
    bench::Ring at(keys.size());
    return bench::repeat(seconds, 64, 1, [&] {
      bench::require(storage->get(keys[at.next()], value) && value.size() == value_size, "a miss");
    });
  }

  test::Origin origin;
  std::vector<std::string> fresh_keys, stale_keys;
  std::optional<omnistore::Storage> storage;
};

/// Prints the milliseconds from the expiry of the last key to its removal, and those of the slowest read meanwhile.
void expire(std::uint32_t keys) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  omnistore::Storage storage = open(R"({ "": { "driver": "memory" }, "live": { "driver": "memory" } })");
  storage.set("kept", std::string(100, 'x'));
  const auto end = Clock::now() + std::chrono::seconds(5);
  omnistore::SetOptions options;
  for (std::uint32_t i = 0; i < keys; ++i) {
    options.ttl = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    storage.set(bench::key(i), "0123456789", options);
  }
  bench::require(Clock::now() < end, "setting the keys took longer than they live");
  std::this_thread::sleep_until(end - std::chrono::milliseconds(100));
  std::string value;
  double worst = 0;
  const auto expired = [&] {
    for (const omnistore::MountStats &mount : storage.stats())
      if (mount.mountpoint.empty()) return mount.expirations;
    return std::uint64_t{0};
  };
  while (expired() < keys) {
    for (int i = 0; i < 100; ++i) {
      const auto before = Clock::now();
      bench::require(storage.get("kept", value), "a miss");
      storage.set("kept", value);
      worst = std::max(worst, Milliseconds(Clock::now() - before).count());
    }
    bench::require(Clock::now() - end < std::chrono::minutes(1), "the keys do not go");
  }
  std::printf("{\"gone\":%.3f,\"worst\":%.3f}\n", Milliseconds(Clock::now() - end).count(), worst);
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 3 && std::string(argv[1]) == "expire") {
    expire(static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
    return EXIT_SUCCESS;
  }
  Ages ages;
  return bench::serve({{"load",
                        [&](double) {
                          ages.load();
                          return bench::Result{};
                        }},
                       {"fresh", [&](double seconds) { return ages.read(ages.fresh_keys, seconds); }},
                       {"stale", [&](double seconds) { return ages.read(ages.stale_keys, seconds); }}});
}
