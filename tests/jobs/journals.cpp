// SPDX-License-Identifier: Apache-2.0
// The content of a journal, and the use of one that was cut off, is damaged, or is in use.
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "ground.hpp"
#include "jobs/copy_log.hpp"

using test::Copy;
using test::Ground;
using test::Journal;
using test::KeyOutcome;
using test::OnConflict;
using Status = omnistore::Status;

namespace {

const boost::json::object some_job{{"job", "a test's"}};

/// A journal with these records, as a run that was cut off leaves it.
void write_records(const std::string &file, int count) {
  Journal journal(file, some_job, Journal::Start::fresh, {});
  for (int i = 0; i < count; ++i) journal.append({{"number", i}, {"text", std::string(20, 'x')}});
}

/// Returns the numbers of the records that a resumed run reads.
std::vector<int> read_records(const std::string &file, const boost::json::object &job = some_job) {
  std::vector<int> numbers;
  Journal journal(file, job, Journal::Start::resume, [&](boost::json::object &record) {
    numbers.push_back(static_cast<int>(record.at("number").as_int64()));
  });
  return numbers;
}

test::CopyOptions journaled(const Ground &ground, Journal::Start start = Journal::Start::fresh) {
  test::CopyOptions options;
  options.journal = ground.journal();
  options.start = start;
  options.on_conflict = OnConflict::skip;
  options.workers = 1;
  return options;
}

} // namespace

TEST_CASE("a record that was cut off anywhere is left out, and the others are read") {
  const test::Folder folder;
  const std::string file = folder / "journal";
  write_records(file, 3);
  const std::string whole = test::read_file(file);
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t cut = last; cut < whole.size(); ++cut) {
    test::write_file(file, whole.substr(0, cut));
    CHECK(read_records(file) == std::vector<int>{0, 1});
    CHECK(test::read_file(file) == whole.substr(0, last)); // so that the next record begins a line
  }
  test::write_file(file, whole);
  CHECK(read_records(file) == std::vector<int>{0, 1, 2});
}

TEST_CASE("a journal that is damaged anywhere but at its end is an error that names the line") {
  const test::Folder folder;
  const std::string file = folder / "journal";
  write_records(file, 3);
  const std::string whole = test::read_file(file);
  for (std::size_t at = 0; at + 1 < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    if (damaged[at] == '\n' || whole[at] == '\n') continue;
    test::write_file(file, damaged);
    const auto line = 1 + std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    std::string message;
    CHECK(test::status_of([&] { read_records(file); }, &message) == Status::corrupt);
    CHECK(message.find(", line " + std::to_string(line) + ":") != std::string::npos);
    CHECK(test::read_file(file) == damaged);
  }
}

TEST_CASE("a journal belongs to one job, has one run at a time, and is never overwritten by itself") {
  const test::Folder folder;
  const std::string file = folder / "journal";
  write_records(file, 1);
  CHECK(test::status_of([&] { read_records(file, {{"job", "another"}}); }) == Status::invalid);
  std::string message;
  CHECK(test::status_of([&] { write_records(file, 1); }, &message) == Status::conflict);
  CHECK(message.find("an earlier run of this job was interrupted") != std::string::npos);
  {
    const Journal held(file, some_job, Journal::Start::resume, [](auto &) {});
    CHECK(test::status_of([&] { read_records(file); }, &message) == Status::conflict);
    CHECK(message.find("another run of this job has locked the journal") != std::string::npos);
  }
  Journal(file, some_job, Journal::Start::restart, {});
  CHECK(read_records(file).empty());
}

TEST_CASE("a job that was stopped resumes at its place: it lists and copies only the rest") {
  Ground ground;
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) ground.storage.set("mem:" + std::to_string(100'000 + i), "v");
  ground.storage.set("to:115000", "another");
  {
    Copy *job = nullptr;
    Copy first(ground.end("mem"), ground.end("to"), journaled(ground), [&](const auto &) { job->stop(); });
    job = &first;
    CHECK_FALSE(first.run());
    CHECK(of(first.counts(), KeyOutcome::copied) > 14'000);
    CHECK(of(first.counts(), KeyOutcome::copied) < 16'000);
  }

  const auto lists = [&] {
    for (const auto &mount : ground.storage.stats())
      if (mount.mountpoint == "mem") return mount.lists;
    return std::uint64_t{0};
  };
  const std::uint64_t before = lists();
  Copy second(ground.end("mem"), ground.end("to"), journaled(ground, Journal::Start::resume));
  CHECK(second.run());
  CHECK(second.resumed());
  CHECK(lists() - before < 8); // of twenty
  CHECK(of(second.counts(), KeyOutcome::copied) == count - 1);
  CHECK(of(second.counts(), KeyOutcome::same) == 0);
  CHECK(of(second.counts(), KeyOutcome::skipped) == 1);
  CHECK(ground.storage.keys("to").all().size() == count);
  CHECK_FALSE(std::filesystem::exists(ground.journal()));
}

TEST_CASE("a run that resumes retries the keys that failed, and no others") {
  Ground ground;
  const std::string segment(300, 's'); // longer than a file's name may be
  for (int i = 0; i < 500; ++i) ground.storage.set("mem:" + std::to_string(i), "v");
  ground.storage.set("mem:" + segment, "v");
  const auto run = [&](Journal::Start start) {
    test::CopyOptions options = journaled(ground, start);
    ground.copy("mem", "to", std::move(options));
    return ground.failure;
  };
  CHECK(run(Journal::Start::fresh) != Status::ok);
  REQUIRE(ground.problems.size() == 1);
  CHECK(ground.problems[0].find(segment) != std::string::npos);
  CHECK(ground.storage.keys("to").all().size() == 500);
  CHECK(run(Journal::Start::resume) != Status::ok);
  CHECK(ground.problems.size() == 1);
  ground.storage.remove("mem:" + segment);
  CHECK(run(Journal::Start::resume) == Status::ok);
  CHECK_FALSE(std::filesystem::exists(ground.journal()));
}
