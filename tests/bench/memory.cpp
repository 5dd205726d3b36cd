// SPDX-License-Identifier: Apache-2.0
// bench_memory KEYS: the memory driver through the whole stack, beside std::unordered_map in the same process.
#include <atomic>
#include <chrono>
#include <optional>
#include <unordered_map>

#include <omnistore/storage.hpp>

#include "storage/meter.hpp"

#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr std::size_t batch = 100;

omnistore::Storage open_memory() {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "memory";
  return omnistore::Storage(config);
}

using Map = std::unordered_map<std::string, std::string>;

struct Bench {
  explicit Bench(std::uint32_t count) : keys(bench::shuffled_keys(count)), at(keys.size()), order(keys.size()) {
    for (std::uint32_t i = 0; i < 1024; ++i) values.push_back(bench::value(value_size, i));
    // Stored in one order, visited in another.
    for (std::size_t i = 0; i < keys.size(); ++i) order[i] = i;
    std::mt19937 random(7);
    for (std::size_t i = keys.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    for (auto i : order) visited.push_back(keys[i]);
  }

  const std::string &some_value() { return values[turn++ & 1023]; }

  std::vector<std::string> keys;    // in the order of storing
  std::vector<std::string> visited; // in the order of visiting
  std::vector<std::string> values;
  bench::Ring at;
  std::vector<std::size_t> order;
  std::size_t turn = 0;
  std::optional<omnistore::Storage> storage, hundreds;
  Map map;
};

void load_ours(Bench &bench, omnistore::Storage &storage) {
  for (const auto &key : bench.keys) storage.set(key, bench.some_value());
}

void load_map(Bench &bench, Map &map) {
  for (const auto &key : bench.keys) map.insert_or_assign(key, bench.some_value());
}

bench::Result ours_get(Bench &bench, double seconds) {
  std::string value;
  return bench::repeat(seconds, 64, 1, [&] {
    bench::require(bench.storage->get(bench.visited[bench.at.next()], value) && value.size() == value_size, "a miss");
  });
}

/// The same, with all that a get is counted and timed by done once more, and the look whether somebody watches.
bench::Result ours_get_counted_twice(Bench &bench, double seconds) {
  static omnistore::Meter meter;
  static const std::atomic<std::size_t> watches{0};
  std::string value;
  return bench::repeat(seconds, 64, 1, [&] {
    omnistore::Meter::Here here = meter.here();
    std::chrono::steady_clock::time_point start{};
    if (here.due(64)) start = std::chrono::steady_clock::now();
    bench::require(bench.storage->get(bench.visited[bench.at.next()], value) && value.size() == value_size, "a miss");
    here.add(omnistore::Count::hits);
    here.add(omnistore::Count::bytes_read, value.size());
    if (start.time_since_epoch().count() != 0)
      here.time(omnistore::Meter::read, std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count());
    bench::require(watches.load(std::memory_order_relaxed) == 0, "somebody watches");
  });
}

bench::Result map_get(Bench &bench, double seconds) {
  std::string value;
  return bench::repeat(seconds, 64, 1, [&] {
    const auto found = bench.map.find(bench.visited[bench.at.next()]);
    bench::require(found != bench.map.end(), "a miss");
    value = found->second;
    bench::require(value.size() == value_size, "another value");
  });
}

bench::Result ours_set_over(Bench &bench, double seconds) {
  return bench::repeat(seconds, 64, 1, [&] { bench.storage->set(bench.visited[bench.at.next()], bench.some_value()); });
}

bench::Result map_set_over(Bench &bench, double seconds) {
  return bench::repeat(seconds, 64, 1,
                       [&] { bench.map.insert_or_assign(bench.visited[bench.at.next()], bench.some_value()); });
}

/// Fills fresh stores, whose opening and closing is not measured, until the measured time is enough.
template <class Open, class Load>
bench::Result fill(double seconds, std::size_t count, Open open, Load load) {
  bench::Result result;
  while (result.seconds < seconds) {
    auto fresh = open();
    const bench::Stopwatch watch;
    load(fresh);
    watch.add_to(result, count);
  }
  return result;
}

bench::Result ours_set_new(Bench &bench, double seconds) {
  return fill(seconds, bench.keys.size(), open_memory, [&](auto &storage) { load_ours(bench, storage); });
}

bench::Result map_set_new(Bench &bench, double seconds) {
  return fill(
      seconds, bench.keys.size(), [] { return Map(); }, [&](auto &map) { load_map(bench, map); });
}

bench::Result ours_batch_get(Bench &bench, double seconds) {
  std::vector<std::string> asked(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &key : asked) key = bench.visited[bench.at.next()];
    const auto found = bench.storage->get_many(asked);
    bench::require(found.size() == batch, "a short answer");
    for (const auto &item : found) bench::require(item.entry.value.size() == value_size, "a miss");
  });
}

bench::Result map_batch_get(Bench &bench, double seconds) {
  std::vector<std::string> asked(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &key : asked) key = bench.visited[bench.at.next()];
    std::vector<std::string> found;
    found.reserve(batch);
    for (const auto &key : asked) found.push_back(bench.map.find(key)->second);
    for (const auto &item : found) bench::require(item.size() == value_size, "a miss");
  });
}

bench::Result ours_batch_set(Bench &bench, double seconds) {
  std::vector<omnistore::SetItem> items(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &item : items) {
      item.key = bench.visited[bench.at.next()];
      item.value = bench.some_value();
    }
    for (const auto &outcome : bench.storage->set_many(items))
      bench::require(outcome.status == omnistore::Status::ok, "a set failed");
  });
}

bench::Result map_batch_set(Bench &bench, double seconds) {
  std::vector<std::pair<std::string, std::string>> items(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &item : items) {
      item.first = bench.visited[bench.at.next()];
      item.second = bench.some_value();
    }
    for (const auto &item : items) bench.map.insert_or_assign(item.first, item.second);
  });
}

bench::Result ours_list(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, bench.keys.size(), [&] {
    bench::require(bench.storage->keys().all().size() == bench.keys.size(), "keys are missing");
  });
}

/// A base with one key of a hundred.
bench::Result ours_list_base(Bench &bench, double seconds) {
  if (!bench.hundreds) {
    bench.hundreds.emplace(open_memory());
    for (std::size_t i = 0; i < bench.keys.size(); ++i) bench.hundreds->set(bench::in_hundredth(i), "x");
  }
  const std::size_t part = bench.keys.size() / 100;
  return bench::repeat(seconds, 1, part, [&] {
    const std::string base = "p" + std::to_string(bench.turn++ % 100);
    bench::require(bench.hundreds->keys(base).all().size() == part, "keys are missing");
  });
}

bench::Result map_list(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, bench.keys.size(), [&] {
    std::vector<std::string> keys;
    keys.reserve(bench.map.size());
    for (const auto &item : bench.map) keys.push_back(item.first);
    bench::require(keys.size() == bench.keys.size(), "keys are missing");
  });
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fputs("usage: bench_memory KEYS\n", stderr);
    return 2;
  }
  Bench bench(static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10)));
  const auto task = [&](bench::Result (*run)(Bench &, double)) {
    return [run, &bench](double seconds) { return run(bench, seconds); };
  };
  return bench::serve({
      {"load",
       [&](double) {
         bench.storage.emplace(open_memory());
         load_ours(bench, *bench.storage);
         load_map(bench, bench.map);
         return bench::Result{};
       }},
      {"ours.get", task(ours_get)},
      {"ours.get-counted-twice", task(ours_get_counted_twice)},
      {"ours.set-over", task(ours_set_over)},
      {"ours.set-new", task(ours_set_new)},
      {"ours.batch-get", task(ours_batch_get)},
      {"ours.batch-set", task(ours_batch_set)},
      {"ours.list", task(ours_list)},
      {"ours.list-base", task(ours_list_base)},
      {"raw.get", task(map_get)},
      {"raw.set-over", task(map_set_over)},
      {"raw.set-new", task(map_set_new)},
      {"raw.batch-get", task(map_batch_get)},
      {"raw.batch-set", task(map_batch_set)},
      {"raw.list", task(map_list)},
  });
}
