// SPDX-License-Identifier: Apache-2.0
// bench_fs FOLDER KEYS: the fs driver through the whole stack, beside the bare system calls on the same files. FOLDER
// is empty and stays: nothing is deleted here, since ext4 is slow for minutes after many files were deleted.
#include <filesystem>
#include <optional>

#include <omnistore/storage.hpp>

#include "files.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 1024;
constexpr std::size_t batch = 100;

omnistore::Storage open_fs(const std::string &base, const std::string &durability) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "fs";
  config.mounts[""].store.options = R"({"base": ")" + base + R"(", "durability": ")" + durability + R"("})";
  return omnistore::Storage(config);
}

std::string path_of(std::string key) {
  for (auto &letter : key)
    if (letter == ':') letter = '/';
  return key;
}

std::string make(const std::string &folder) {
  std::filesystem::create_directories(folder);
  return folder;
}

/// A folder with the 256 folders that new keys lie in, so that every side sets them in folders that are there.
std::string prepare(const std::string &folder) {
  for (unsigned i = 0; i < 256; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "/n/%02x", i);
    make(folder + name);
  }
  return folder;
}

struct Bench {
  Bench(const std::string &folder, std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(count), data(make(folder + "/data")),
        raw_new(prepare(folder + "/new-raw")), ours(open_fs(folder + "/data", "none")),
        ours_synced(open_fs(folder + "/data", "data")), ours_new(open_fs(prepare(folder + "/new-ours"), "none")) {
    for (std::uint32_t i = 0; i < 64; ++i) values.push_back(bench::value(value_size, i));
    for (const auto &key : keys) paths.push_back(path_of(key));
    prepare(folder + "/new-unstorage");
  }

  const std::string &some_value() { return values[turn++ & 63]; }

  std::vector<std::string> keys, paths;
  bench::Ring at;
  std::vector<std::string> values;
  std::size_t turn = 0;
  std::uint32_t ours_number = 0, raw_number = 0; // of the next new key
  bench::files::Folder data, raw_new;
  omnistore::Storage ours, ours_synced, ours_new;
};

bench::Result ours_get(Bench &bench, double seconds) {
  std::string value;
  return bench::repeat(seconds, 16, 1, [&] {
    bench::require(bench.ours.get(bench.keys[bench.at.next()], value) && value.size() == value_size, "a miss");
  });
}

bench::Result raw_get(Bench &bench, double seconds) {
  std::string value;
  return bench::repeat(seconds, 16, 1, [&] {
    bench::files::get(bench.data, bench.paths[bench.at.next()].c_str(), value);
    bench::require(value.size() == value_size, "another value");
  });
}

bench::Result ours_set_over(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] { bench.ours.set(bench.keys[bench.at.next()], bench.some_value()); });
}

bench::Result raw_set_over(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] {
    bench::files::set(bench.data, bench.paths[bench.at.next()].c_str(), bench.some_value(), false);
  });
}

bench::Result ours_set_synced(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] { bench.ours_synced.set(bench.keys[bench.at.next()], bench.some_value()); });
}

bench::Result raw_set_synced(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] {
    bench::files::set(bench.data, bench.paths[bench.at.next()].c_str(), bench.some_value(), true);
  });
}

bench::Result ours_set_new(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1,
                       [&] { bench.ours_new.set(bench::key(bench.ours_number++, "n"), bench.some_value()); });
}

bench::Result raw_set_new(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] {
    const auto path = path_of(bench::key(bench.raw_number++, "n"));
    bench::files::set(bench.raw_new, path.c_str(), bench.some_value(), false);
  });
}

bench::Result ours_batch_get(Bench &bench, double seconds) {
  std::vector<std::string> asked(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &key : asked) key = bench.keys[bench.at.next()];
    for (const auto &item : bench.ours.get_many(asked)) bench::require(item.entry.value.size() == value_size, "a miss");
  });
}

bench::Result raw_batch_get(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, batch, [&] {
    std::vector<std::string> values(batch);
    for (auto &value : values) bench::files::get(bench.data, bench.paths[bench.at.next()].c_str(), value);
  });
}

bench::Result ours_batch_set(Bench &bench, double seconds) {
  std::vector<omnistore::SetItem> items(batch);
  return bench::repeat(seconds, 1, batch, [&] {
    for (auto &item : items) {
      item.key = bench.keys[bench.at.next()];
      item.value = bench.some_value();
    }
    for (const auto &outcome : bench.ours.set_many(items))
      bench::require(outcome.status == omnistore::Status::ok, "a set failed");
  });
}

bench::Result ours_list(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, bench.keys.size(), [&] {
    bench::require(bench.ours.keys().all().size() == bench.keys.size(), "keys are missing");
  });
}

bench::Result raw_list(Bench &bench, double seconds) {
  return bench::repeat(seconds, 1, bench.keys.size(), [&] {
    std::vector<std::string> keys;
    bench::files::list(bench.data, keys);
    bench::require(keys.size() == bench.keys.size(), "keys are missing");
  });
}

/// The files are our driver's own, so that whatever it keeps beside a value is there to be paid for.
bench::Result load(Bench &bench, double) {
  for (const auto &key : bench.keys) bench.ours.set(key, bench.some_value());
  return {};
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_fs FOLDER KEYS\n", stderr);
    return 2;
  }
  Bench bench(argv[1], static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  const auto task = [&](bench::Result (*run)(Bench &, double)) {
    return [run, &bench](double seconds) { return run(bench, seconds); };
  };
  return bench::serve({
      {"load", task(load)},
      {"ours.get", task(ours_get)},
      {"ours.set-over", task(ours_set_over)},
      {"ours.set-new", task(ours_set_new)},
      {"ours.set-synced", task(ours_set_synced)},
      {"ours.batch-get", task(ours_batch_get)},
      {"ours.batch-set", task(ours_batch_set)},
      {"ours.list", task(ours_list)},
      {"raw.get", task(raw_get)},
      {"raw.set-over", task(raw_set_over)},
      {"raw.set-new", task(raw_set_new)},
      {"raw.set-synced", task(raw_set_synced)},
      {"raw.batch-get", task(raw_batch_get)},
      {"raw.batch-set", task(raw_set_over)},
      {"raw.list", task(raw_list)},
  });
}
