// SPDX-License-Identifier: Apache-2.0
// bench_copy FOLDER KEYS: a job that copies all files to memory, with its journal, beside a loop that only reads them.
// FOLDER is empty and stays. Files and loop go in one order, that of the listing.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include <omnistore/storage.hpp>

#include "jobs/copy.hpp"

#include "files.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 1024;

omnistore::Storage open_both(const std::string &folder) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder + R"(/data"})";
  config.mounts["memory"].store.driver = "memory";
  return omnistore::Storage(config);
}

struct Bench {
  Bench(const std::string &where, std::uint32_t keys) : folder(where), count(keys) {
    std::filesystem::create_directories(folder + "/data");
  }

  std::string folder;
  std::uint32_t count;
  std::vector<std::string> paths;
};

/// The files are our driver's own.
bench::Result load(Bench &bench, double) {
  omnistore::Storage storage = open_both(bench.folder);
  for (const std::string &key : bench::shuffled_keys(bench.count))
    storage.set("files:" + key, bench::value(value_size, static_cast<std::uint32_t>(bench.paths.size())));
  for (std::string key : storage.keys("files")) {
    key.erase(0, std::string_view("files:").size());
    std::replace(key.begin(), key.end(), ':', '/');
    bench.paths.push_back(std::move(key));
  }
  return {};
}

/// One copy into a fresh memory.
bench::Result ours_copy(Bench &bench, double) {
  omnistore::Storage storage = open_both(bench.folder);
  const omnistore::jobs::Endpoint from(storage, "files"), to(storage, "memory");
  omnistore::jobs::CopyOptions options;
  options.journal = bench.folder + "/journal";
  bench::Result result;
  {
    const bench::Stopwatch watch;
    omnistore::jobs::Copy copy(from, to, std::move(options));
    bench::require(copy.run(), "the copy was stopped");
    bench::require(of(copy.counts(), omnistore::jobs::KeyOutcome::copied) == bench.count, "keys are missing");
    watch.add_to(result, bench.count);
  }
  bench::require(storage.get("memory:" + bench::key(0)).value_or("").size() == value_size, "a value is missing");
  return result;
}

/// open, read, close.
bench::Result raw_read(Bench &bench, double) {
  const bench::files::Folder data(bench.folder + "/data");
  char room[2 * value_size];
  bench::Result result;
  const bench::Stopwatch watch;
  for (const std::string &path : bench.paths) {
    const int file = openat(data.descriptor(), path.c_str(), O_RDONLY | O_CLOEXEC);
    bench::require(file >= 0 && read(file, room, sizeof room) == value_size, "a read failed");
    close(file);
  }
  watch.add_to(result, bench.paths.size());
  return result;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_copy FOLDER KEYS\n", stderr);
    return 2;
  }
  Bench bench(argv[1], static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  const auto task = [&](bench::Result (*run)(Bench &, double)) {
    return [run, &bench](double seconds) { return run(bench, seconds); };
  };
  return bench::serve({{"load", task(load)}, {"ours.copy", task(ours_copy)}, {"raw.read", task(raw_read)}});
}
