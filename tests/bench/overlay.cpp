// SPDX-License-Identifier: Apache-2.0
// bench_overlay FOLDER KEYS: an overlay of memory over files through the whole stack, beside a plain memory mount.
// FOLDER gets a file for each key; memory holds every second key.
#include <optional>

#include <omnistore/storage.hpp>

#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 1024;

struct Bench {
  Bench(const std::string &folder, std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(keys.size() / 2), storage(open(folder)) {}

  static omnistore::Storage open(const std::string &folder) {
    omnistore::Config config;
    config.plugin_paths = {OMNISTORE_PLUGINS};
    omnistore::StoreConfig memory{.driver = "memory"},
        files{.driver = "fs", .options = R"({"base": ")" + folder + R"("})"};
    config.mounts["plain"].store = memory;
    config.mounts["files"].store = files;
    config.mounts[""].store = {.driver = "overlay", .children = {memory, files}};
    return omnistore::Storage(config);
  }

  void load() {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string value = bench::value(value_size, static_cast<std::uint32_t>(i));
      storage.set("files:" + keys[i], value);
      (i < keys.size() / 2 ? upper : lower).push_back(keys[i]);
      if (i < keys.size() / 2) storage.set(keys[i], value), storage.set("plain:" + keys[i], value);
    }
    for (const std::string &key : upper) plain.push_back("plain:" + key);
  }

  bench::Result get(const std::vector<std::string> &from, double seconds, unsigned block) {
    std::string value;
    return bench::repeat(seconds, block, 1, [&] {
      bench::require(storage.get(from[at.next()], value) && value.size() == value_size, "a miss");
    });
  }

  bench::Result list(double seconds) {
    return bench::repeat(seconds, 1, keys.size(),
                         [&] { bench::require(storage.keys("k").all().size() == keys.size(), "keys are missing"); });
  }

  std::vector<std::string> keys, upper, lower, plain;
  bench::Ring at;
  omnistore::Storage storage;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_overlay FOLDER KEYS\n", stderr);
    return 2;
  }
  Bench bench(argv[1], static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  return bench::serve({
      {"load",
       [&](double) {
         bench.load();
         return bench::Result{};
       }},
      {"ours.hit", [&](double seconds) { return bench.get(bench.upper, seconds, 64); }},
      {"ours.fall", [&](double seconds) { return bench.get(bench.lower, seconds, 8); }},
      {"ours.list", [&](double seconds) { return bench.list(seconds); }},
      {"memory.hit", [&](double seconds) { return bench.get(bench.plain, seconds, 64); }},
  });
}
