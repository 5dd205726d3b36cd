// SPDX-License-Identifier: Apache-2.0
// Jobs that are killed at random moments, and resumed until they are done.
#include <iostream>
#include <random>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "cli/program.hpp"

namespace {

constexpr unsigned least_kills = 50;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned keys = 300; // a program that is watched takes its time
#else
constexpr unsigned keys = 1200;
#endif

const char *const pace = keys < 1000 ? "2000" : "8000"; ///< keys a second, so that most kills come while it works

/// Two folders as the mounts `from` and `to`, and what is in the former.
class Ground {
public:
  Ground() {
    test::write_file(config(), R"({ "mounts": {
      "from": { "driver": "fs", "options": { "base": ")" +
                                   (folder_ / "from") + R"(" } },
      "to": { "driver": "fs", "options": { "base": ")" +
                                   (folder_ / "to") + R"(" } } } })");
    for (unsigned i = 0; i < keys; ++i)
      add(name(i), std::string(i % 97, static_cast<char>(i % 251)) + std::to_string(i));
    add("long", std::string(3'000'000, 'l') + "end");
    add("middle", std::string(200'000, 'm') + "end");
    // Meta of the user's lies beside its key.
    for (unsigned i = 0; i < keys; i += 50) add(name(i) + "$", R"({"number":)" + std::to_string(i) + "}");
  }

  std::string config() const { return folder_ / "omnistore.jsonc"; }
  std::string journal() const { return folder_ / "journal"; }
  const std::map<std::string, std::string> &values() const { return values_; }
  std::size_t count() const { return keys + 2; } ///< without the users' meta
  std::filesystem::path source(const std::string &file) const { return folder_.path() / "from" / file; }
  std::filesystem::path target(const std::string &file) const { return folder_.path() / "to" / file; }

  /// A run that resumes an earlier one.
  test::Strings command(const test::Strings &job) const {
    test::Strings all{test::program(), "-c", config(), "--json"};
    all.insert(all.end(), job.begin(), job.end());
    all.insert(all.end(), {"--resume", "--journal", journal()});
    return all;
  }

  std::string dump() const { return folder_ / "dump.jsonl"; }
  /// Writes what is in the source into dump().
  void make_dump() {
    const test::Result result = test::omnistore({"-c", config(), "-q", "dump", "from", "-o", dump()});
    INFO(result.err);
    REQUIRE(result.code == 0);
    for (const std::string &line : test::lines(test::read_file(dump()))) {
      const boost::json::value value = boost::json::parse(line);
      const auto *key = value.get_object().if_contains("key");
      dumped_.push_back(key ? path_of("from:" + std::string(key->as_string())) : "");
    }
  }

  /// The files of the keys that the journal says are done.
  test::Strings recorded() const {
    std::map<std::int64_t, test::Strings> batches;
    test::Strings done;
    if (!std::filesystem::exists(journal())) return done;
    for (const std::string &line : test::lines(test::read_file(journal()))) {
      boost::system::error_code torn;
      const boost::json::value record = boost::json::parse(line.substr(std::min<std::size_t>(9, line.size())), torn);
      if (torn || !record.is_object()) continue;
      const boost::json::object &fields = record.get_object();
      if (const auto *number = fields.if_contains("batch")) {
        test::Strings &files = batches[number->as_int64()];
        if (const auto *all = fields.if_contains("keys"))
          for (const auto &key : all->as_array()) files.push_back(path_of(key.as_string().c_str()));
        else // of a restore: lines of the dump, counted from 1
          for (auto at = fields.at("first").as_int64(); at <= fields.at("last").as_int64(); ++at)
            if (const std::string &file = dumped_.at(static_cast<std::size_t>(at - 1)); !file.empty())
              files.push_back(file);
      }
      if (const auto *number = fields.if_contains("done"))
        for (std::string &file : batches[number->as_int64()]) done.push_back(file);
    }
    return done;
  }

  /// Returns true if a move has ended well by its journal and the target.
  bool is_moved() const {
    return !std::filesystem::exists(journal()) && std::all_of(values_.begin(), values_.end(), [&](const auto &each) {
      return std::filesystem::exists(target(each.first)) && !std::filesystem::exists(source(each.first));
    });
  }

private:
  static std::string name(unsigned i) { return "group" + std::to_string(i % 7) + "/" + std::to_string(i); }
  /// "from:a:b" -> "a/b"
  static std::string path_of(std::string key) {
    key.erase(0, std::string_view("from:").size());
    std::replace(key.begin(), key.end(), ':', '/');
    return key;
  }
  void add(const std::string &file, const std::string &value) {
    values_[file] = value;
    test::write_file(source(file), value);
  }

  test::Folder folder_;
  std::map<std::string, std::string> values_;
  test::Strings dumped_; ///< the file of each line's key
};

/// Which write of a file this is: each write of the fs driver makes a new one.
using Written = std::pair<ino_t, std::int64_t>;
Written written(const std::filesystem::path &file) {
  struct stat status;
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return {status.st_ino, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool holds(const std::filesystem::path &file, const std::string &value) {
  return std::filesystem::is_regular_file(file) && test::read_file(file) == value;
}

/// Kills runs of a job at random moments until it is done, and looks after each whether anything is lost, and whether
/// what was recorded was written again. How many were killed.
unsigned run_through(const Ground &ground, const test::Strings &job, std::mt19937 &random, double &whole_ms,
                     bool moves) {
  std::map<std::string, Written> recorded;
  unsigned killed = 0;
  for (;;) {
    const auto start = std::chrono::steady_clock::now();
    test::Process process(ground.command(job), {});
    std::this_thread::sleep_for(
        std::chrono::duration<double, std::milli>(std::uniform_real_distribution(0.0, whole_ms)(random)));
    ::kill(process.pid(), SIGKILL);
    const test::Result result = process.finish();
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();

    for (const auto &[file, write] : recorded)
      if (written(ground.target(file)) != write) FAIL("written twice: " << file);
    if (result.signal == 0) {
      INFO(result.err);
      REQUIRE(result.code == 0);
      const boost::json::value summary = result.json();
      CHECK(summary.at("copied").as_int64() + summary.at("same").as_int64() ==
            static_cast<std::int64_t>(ground.count()));
      CHECK(summary.at("failed").as_int64() == 0);
      return killed;
    }
    ++killed;
    whole_ms = std::max(whole_ms, 1.1 * took);
    for (const std::string &file : ground.recorded()) recorded.emplace(file, written(ground.target(file)));
    for (const auto &[file, value] : ground.values())
      if (!(moves && holds(ground.target(file), value)) && !holds(ground.source(file), value)) FAIL("lost: " << file);
    if (moves && ground.is_moved()) return killed; // its journal is gone: it had done all when it was killed
  }
}

void kill_and_resume(test::Strings job, bool moves, bool restores = false) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  INFO("seed " << seed);
  double whole_ms = 20; // how long a run takes, at most, as far as is known
  unsigned kills = 0, jobs = 0;
  for (; kills < least_kills; ++jobs) {
    Ground ground;
    if (restores) {
      ground.make_dump();
      job[2] = ground.dump();
    }
    kills += run_through(ground, job, random, whole_ms, moves);
    for (const auto &[file, value] : ground.values()) {
      if (!holds(ground.target(file), value)) FAIL("not copied: " << file);
      if (std::filesystem::exists(ground.source(file)) == moves) FAIL("source: " << file);
    }
    CHECK_FALSE(std::filesystem::exists(ground.journal()));
  }
  std::cout << job[0] << ": " << kills << " kills in " << jobs << " jobs, seed " << seed << "\n";
  CHECK(kills >= least_kills);
}

} // namespace

TEST_CASE("a copy that is killed at random moments is whole after it was resumed, and nothing is copied twice") {
  kill_and_resume({"copy", "from", "to", "--rate-keys", pace}, false);
}

TEST_CASE("a move that is killed at random moments loses nothing, and leaves the target alone with all of it") {
  kill_and_resume({"migrate", "from", "to", "--move", "--rate-keys", pace}, true);
}

TEST_CASE("a restore that is killed at random moments is complete once resumed, and writes nothing twice") {
  kill_and_resume({"restore", "to", "DUMP", "--rate-keys", pace}, false, true);
}

TEST_CASE("a dump that is killed at random moments has each key once it was resumed") {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  INFO("seed " << seed);
  double whole_ms = 20;
  unsigned kills = 0, dumps = 0;
  Ground ground;
  while (kills < least_kills) {
    const auto start = std::chrono::steady_clock::now();
    test::Process process({test::program(), "-c", ground.config(), "-q", "dump", "from", "-o", ground.dump(),
                           "--resume", "--rate-keys", pace},
                          {});
    std::this_thread::sleep_for(
        std::chrono::duration<double, std::milli>(std::uniform_real_distribution(0.0, whole_ms)(random)));
    ::kill(process.pid(), SIGKILL);
    const test::Result result = process.finish();
    if (result.signal != 0) {
      ++kills;
      whole_ms = std::max(
          whole_ms, 1.1 * std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
      continue;
    }
    INFO(result.err);
    REQUIRE(result.code == 0);
    ++dumps;
    std::filesystem::remove_all(ground.target(""));
    const test::Result restored =
        test::omnistore({"-c", ground.config(), "restore", "to", ground.dump(), "--journal", ground.journal()});
    INFO(restored.err);
    REQUIRE(restored.code == 0);
    for (const auto &[file, value] : ground.values())
      if (!holds(ground.target(file), value)) FAIL("not dumped: " << file);
    std::filesystem::remove(ground.dump());
  }
  std::cout << "dump: " << kills << " kills of " << dumps << " dumps, seed " << seed << "\n";
}
