// SPDX-License-Identifier: Apache-2.0
// Values move from engine to engine and come back as they were, though each copy is killed once.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/etcd_server.hpp"
#include "support/postgres_server.hpp"
#include "support/redis_server.hpp"

#include <omnistore/storage.hpp>

namespace {

namespace fs = std::filesystem;

constexpr unsigned small_values = 1500;
constexpr int an_hour = 3'600'000; ///< in milliseconds: a copy of many keys says nothing until it ends

/// A config with a mount for each engine, and `files` and `back`, two folders.
class Engines {
public:
  Engines() {
    test::write_file(config(), R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] }, "mounts": {
      "files": { "driver": "fs", "options": { "base": ")" +
                                   (folder_ / "files") + R"(" } },
      "sqlite": { "driver": "sqlite", "options": { "path": ")" +
                                   (folder_ / "data.db") + R"(" } },
      "lmdb": { "driver": "lmdb", "options": { "path": ")" +
                                   (folder_ / "lmdb") + R"(" } },
      "postgres": { "driver": "postgres", "options": { )" +
                                   postgres_.options() + R"( } },
      "etcd": { "driver": "etcd", "options": { )" +
                                   etcd_.endpoints() + R"( } },
      "redis": { "driver": "redis", "options": { "url": ")" +
                                   redis_.url() + R"(" } },
      "back": { "driver": "fs", "options": { "base": ")" +
                                   (folder_ / "back") + R"(" } } } })");
  }

  std::string config() const { return folder_ / "omnistore.jsonc"; }
  std::string journal() const { return folder_ / "journal"; }
  fs::path folder(const std::string &name) const { return folder_.path() / name; }
  test::Result operator()(test::Strings arguments) const {
    arguments.insert(arguments.begin(), {"-c", config(), "--json"});
    return test::omnistore(arguments, {.folder = folder_.path().string(), .silence_ms = an_hour});
  }

  /// Copies all keys. The first run, at `rate` keys a second, is killed when it has begun so many batches. The second
  /// one resumes.
  void copy(const std::string &from, const std::string &to, const char *rate = "500", unsigned batches = 1) const {
    const test::Strings words{test::program(), "-c",        config(),  "--json", "copy", from,         to,
                              "--resume",      "--journal", journal(), "--jobs", "2",    "--rate-keys"};
    const auto with = [&](const char *limit) {
      test::Strings all = words;
      all.emplace_back(limit);
      return all;
    };
    {
      test::Process process(with(rate), {.folder = folder_.path().string()});
      const std::string status = "/proc/" + std::to_string(process.pid()) + "/status";
      while (!fs::exists(journal()) || begun_batches() < batches) {
        REQUIRE(test::read_file(status).find("State:\tZ") == std::string::npos); // it has ended
        std::this_thread::yield();
      }
    }                               // the destructor kills it
    REQUIRE(fs::exists(journal())); // it was not done
    test::Process process(with("100000000"), {.folder = folder_.path().string()});
    const test::Result result = process.finish({}, an_hour);
    INFO(from << " to " << to << ": " << result.err);
    REQUIRE(result.code == 0);
    CHECK(result.json().at("resumed") == true);
    CHECK(!fs::exists(journal()));
  }

private:
  unsigned begun_batches() const {
    const std::string records = test::read_file(journal());
    unsigned count = 0;
    for (std::size_t at = 0; (at = records.find("\"batch\"", at)) != records.npos; ++at) ++count;
    return count;
  }

  test::Folder folder_;
  test::PostgresServer postgres_;
  test::EtcdCluster etcd_;
  test::RedisServer redis_;
};

/// The files below a folder with their contents, but not the folder's own hidden ones.
std::map<std::string, std::string> files_in(const fs::path &folder) {
  std::map<std::string, std::string> files;
  for (const auto &entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder)] = test::read_file(entry.path());
  return files;
}

} // namespace

TEST_CASE("values go through every engine and come back byte for byte, though each copy is killed once") {
  const Engines engines;
  const fs::path files = engines.folder("files");
  std::mt19937 random(17);
  const auto bytes = [&](std::size_t size) {
    std::string text(size, '\0');
    for (char &byte : text) byte = static_cast<char>(random());
    return text;
  };
  for (unsigned i = 0; i < small_values; ++i)
    test::write_file(files / ("group" + std::to_string(i % 7)) / std::to_string(i), bytes(i % 97));
  test::write_file(files / "long", bytes(600'000));
  test::write_file(files / "a name with spaces", "spaces");
  test::write_file(files / "Größe" / "日本語" / "🔑", "unicode");
  test::write_file(files / "{brace}%25*[x]", "special");
  test::write_file(files / std::string(200, 'k') / std::string(200, 'l'), "a long key");
  test::write_file(files / "group1" / "1$", R"({"price":1.10,"id":36893488147419103233})"); // the user's meta
  REQUIRE(engines({"set", "files:expires", "later", "--ttl", "1h"}).code == 0);
  const auto before = files_in(files);

  const test::Strings way{"files", "sqlite", "lmdb", "postgres", "etcd", "redis", "back"};
  for (std::size_t i = 1; i < way.size(); ++i) engines.copy(way[i - 1], way[i]);

  const test::Result verified = engines({"verify", "files", "back", "--meta"});
  CHECK(verified.json().at("differences") == 0);
  CHECK(verified.code == 0);
  const auto after = files_in(engines.folder("back"));
  CHECK(before.size() == after.size());
  for (const auto &[name, content] : before) {
    INFO(name);
    const auto found = after.find(name);
    REQUIRE(found != after.end());
    CHECK((found->second == content)); // in parentheses: a failure need not print it
  }
}

// It takes long, so it runs only when it is named: `jobs_engines "[many]"`. OMNISTORE_KEYS is the number of keys.
TEST_CASE("a million keys go through every engine and come back, though each copy is killed once", "[.][many]") {
  using Clock = std::chrono::steady_clock;
  const char *const chosen = std::getenv("OMNISTORE_KEYS");
  const unsigned count = chosen ? static_cast<unsigned>(std::stoul(chosen)) : 1'000'000;
  const Engines engines;
  Clock::time_point begun = Clock::now();
  const auto report = [&](const std::string &work) {
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    std::cout << work << ": " << seconds << " s, " << 1e6 * seconds / count << " us a key" << std::endl;
    begun = Clock::now();
  };
  {
    omnistore::Storage storage(omnistore::Config::load(engines.config()));
    std::vector<omnistore::SetItem> items;
    for (unsigned i = 0; i < count; ++i) {
      omnistore::SetItem &item = items.emplace_back();
      item.key = "files:group" + std::to_string(i % 997) + ":" + std::to_string(i);
      item.value = "value " + std::string(i % 61, 'v') + std::to_string(i);
      if (i % 3 == 0) item.options.ttl = std::chrono::hours(24);
      if (i % 4 == 0) item.options.user = "{\"number\":" + std::to_string(i) + "}";
      if (items.size() < 1000 && i + 1 < count) continue;
      for (const omnistore::Outcome &outcome : storage.set_many(items))
        REQUIRE(outcome.status == omnistore::Status::ok);
      items.clear();
    }
  }
  report("written to files");
  const test::Strings way{"files", "sqlite", "lmdb", "postgres", "redis", "etcd", "back"};
  for (std::size_t i = 1; i < way.size(); ++i) {
    engines.copy(way[i - 1], way[i], "1000000", 8);
    report(way[i - 1] + " to " + way[i]);
  }
  const test::Result verified = engines({"verify", "files", "back", "--meta"});
  report("files and back compared");
  INFO(verified.err);
  CHECK(verified.json().at("differences") == 0);
  CHECK(verified.code == 0);
}
