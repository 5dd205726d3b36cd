// SPDX-License-Identifier: Apache-2.0
// The parts that a copy takes along, those that it leaves, and its reports.
#include <thread>

#include <catch2/catch.hpp>

#include "ground.hpp"

using test::Ground;
using test::KeyOutcome;
using test::OnConflict;
using Status = omnistore::Status;

namespace {

void fill(omnistore::Storage &storage, const std::string &base) {
  storage.set(base + ":empty", "");
  storage.set(base + ":binary", std::string("\0\xff\n\r", 4));
  for (const std::size_t size : {65535u, 65536u, 65537u, 1048576u, 1048577u, 3000000u})
    storage.set(base + ":size:" + std::to_string(size), std::string(size - 1, 'x') + "e");
  for (int i = 0; i < 300; ++i) storage.set(base + ":many:" + std::to_string(i), std::to_string(i));
  storage.set(base + ":ends", "soon", test::lives(std::chrono::hours(5)));
  storage.set(base + ":both", "soon", test::lives(std::chrono::hours(5)));
  storage.set(base + ":long", std::string(2000000, 'l'), test::lives(std::chrono::hours(5)));
  for (const char *key : {":both", ":long", ":binary"}) storage.set(base + key + "$", R"({"from":"a test"})");
  storage.touch(base + ":both", std::chrono::hours(5)); // if the expiry lies beside it
  storage.touch(base + ":long", std::chrono::hours(5));
}

} // namespace

TEST_CASE("a copy takes values of every length along, binary ones, the user's meta, and when they end") {
  const std::string from = GENERATE("from", "mem", "bare"), to = GENERATE("to", "mem", "bare");
  if (from == to) return;
  Ground ground;
  fill(ground.storage, from);
  test::CopyOptions options;
  options.verify = true;
  INFO(from << " to " << to);
  const auto counts = ground.copy(from, to, std::move(options));
  INFO(Catch::StringMaker<std::vector<std::string>>::convert(ground.problems));
  CHECK(ground.done);
  CHECK(ground.failure == Status::ok);
  CHECK(of(counts, KeyOutcome::copied) == 311);
  const auto user = [&](const std::string &key) { return ground.storage.meta(key).value().user; };
  for (const auto &[key, entry] : ground.storage.entries(from)) {
    const std::string copy = to + key.substr(from.size());
    INFO(copy);
    CHECK(ground.storage.get(copy) == entry.value);
    CHECK((user(copy).find("a test") != std::string::npos) == (user(key).find("a test") != std::string::npos));
    const std::int64_t ends = ground.storage.meta(key).value().expiry;
    CHECK(std::abs(ground.storage.meta(copy).value().expiry - ends) < 100);
  }
  CHECK(ground.storage.keys(to).all().size() == 311);
}

TEST_CASE("a value ends when it would have at the source, whatever the target's mount says") {
  Ground ground; // values set under `to` live for an hour
  ground.storage.set("from:ever", "1");
  ground.storage.set("from:soon", "1", test::lives(std::chrono::minutes(1)));
  ground.storage.set("from:past", "1", test::lives(std::chrono::milliseconds(1)));
  omnistore::advance_clock(10'000);
  ground.copy("from", "to");
  CHECK(ground.storage.meta("to:ever").value().expiry == 0);
  const std::int64_t ends = ground.storage.meta("from:soon").value().expiry;
  CHECK(std::abs(ground.storage.meta("to:soon").value().expiry - ends) < 100);
  CHECK_FALSE(ground.storage.has("to:past"));
}

TEST_CASE("a key with the same value at the target is left as it is") {
  Ground ground;
  fill(ground.storage, "from");
  ground.copy("from", "to");
  const std::string etag = ground.storage.meta("to:many:7").value().etag;
  const std::string long_etag = ground.storage.meta("to:long").value().etag;
  for (const auto how : {OnConflict::fail, OnConflict::skip, OnConflict::overwrite}) {
    const auto counts = ground.copy("from", "to", test::on_conflict(how));
    CHECK(of(counts, KeyOutcome::same) == 311);
    CHECK(of(counts, KeyOutcome::copied) == 0);
  }
  CHECK(ground.storage.meta("to:many:7").value().etag == etag);
  CHECK(ground.storage.meta("to:long").value().etag == long_etag);
}

TEST_CASE("another value at the target ends the job, is kept, or is replaced, as --on-conflict says") {
  Ground ground;
  const std::string big(2'000'000, 'b');
  const bool is_long = GENERATE(false, true);
  const std::string source = is_long ? big + "1" : "source", target = is_long ? big + "2" : "target";
  ground.storage.set("from:a", source);
  ground.storage.set("from:b", "new");
  ground.storage.set("to:a", target);
  SECTION("fail") {
    std::string message;
    CHECK(test::status_of([&] { ground.copy("from", "to"); }, &message) == Status::conflict);
    CHECK(message.find("from:a: to:a already has another value") != std::string::npos);
    CHECK(ground.storage.get("to:a") == target);
  }
  SECTION("skip") {
    const auto counts = ground.copy("from", "to", test::on_conflict(OnConflict::skip));
    CHECK(of(counts, KeyOutcome::skipped) == 1);
    CHECK(of(counts, KeyOutcome::copied) == 1);
    CHECK(ground.problems.size() == 1);
    CHECK(ground.storage.get("to:a") == target);
  }
  SECTION("overwrite") {
    const auto counts = ground.copy("from", "to", test::on_conflict(OnConflict::overwrite));
    CHECK(of(counts, KeyOutcome::copied) == 2);
    CHECK(ground.storage.get("to:a") == source);
  }
  SECTION("a dry run says so, and writes nothing") {
    test::CopyOptions options;
    options.dry_run = true;
    options.journal = ground.journal();
    const auto counts = ground.copy("from", "to", std::move(options));
    CHECK(of(counts, KeyOutcome::conflict) == 1);
    CHECK(of(counts, KeyOutcome::copied) == 1);
    CHECK(ground.storage.get("to:a") == target);
    CHECK_FALSE(ground.storage.has("to:b"));
    CHECK_FALSE(std::filesystem::exists(ground.journal()));
  }
}

TEST_CASE("a value that is replaced has the meta of the new one, even if that has none") {
  Ground ground;
  for (const std::string base : {"to", "bare"}) {
    ground.storage.set("from:a", "new");
    ground.storage.set(base + ":a", "old");
    ground.storage.set(base + ":a$", R"({"of":"the old one"})");
    ground.copy("from", base, test::on_conflict(OnConflict::overwrite));
    CHECK(ground.storage.get(base + ":a") == "new");
    CHECK(ground.storage.meta(base + ":a").value().user.empty());
  }
}

TEST_CASE("a value that another writer sets while a copy runs is not lost") {
  // Each round both set the same absent key; the copy, which is to skip, must never replace what the other has set.
  Ground ground;
  for (int round = 0; round < 100; ++round) {
    const std::string key = "k" + std::to_string(round);
    ground.storage.set("from:" + key, "copied");
    bool stored = false;
    std::thread other([&] {
      omnistore::SetOptions absent;
      absent.condition.kind = omnistore::Condition::Kind::if_absent;
      stored = ground.storage.set("mem:" + key, "theirs", absent).stored;
    });
    ground.copy("from", "mem", test::on_conflict(OnConflict::skip));
    other.join();
    CHECK(ground.storage.get("mem:" + key) == (stored ? "theirs" : "copied"));
  }
}

TEST_CASE("a job keeps to its rate of keys and of bytes") {
  Ground ground;
  for (int i = 0; i < 400; ++i) ground.storage.set("from:" + std::to_string(i), std::string(1000, 'x'));
  test::CopyOptions options;
  SECTION("keys") { options.keys_a_second = 1000; }
  SECTION("bytes") { options.bytes_a_second = 1'000'000; }
  const auto start = std::chrono::steady_clock::now();
  ground.copy("from", "mem", std::move(options));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(took.count() > 0.25); // 0.4 s, less what the bucket held
}

TEST_CASE("a base is not copied to itself, nor over or under itself in one storage") {
  Ground ground;
  ground.storage.set("from:a", "1");
  const auto status = [&](const std::string &from, const std::string &to) {
    return test::status_of([&] { ground.copy(from, to); });
  };
  CHECK(status("from", "from") == Status::invalid);
  CHECK(status("from", "from:sub") == Status::invalid);
  CHECK(status("from:sub", "from") == Status::invalid);
  CHECK(status("", "to") == Status::invalid);
  CHECK(status("from", "to") == Status::ok);
}
