// SPDX-License-Identifier: Apache-2.0
// The keys that a move takes away, and those that it leaves.
#include <atomic>
#include <latch>
#include <thread>

#include <catch2/catch.hpp>

#include "ground.hpp"

using test::Ground;
using test::KeyOutcome;
using test::OnConflict;
using Status = omnistore::Status;

namespace {

test::CopyOptions moving() {
  test::CopyOptions options;
  options.move = true;
  return options;
}

} // namespace

TEST_CASE("a move takes each key away with its meta, and it is all at the target") {
  Ground ground;
  const std::string from = GENERATE("from", "mem", "bare");
  for (int i = 0; i < 300; ++i) ground.storage.set(from + ":k:" + std::to_string(i), std::to_string(i));
  ground.storage.set(from + ":long", std::string(2'500'000, 'l'));
  ground.storage.set(from + ":k:1$", R"({"a":1})");
  const auto before = ground.all(from);
  const auto counts = ground.copy(from, "to", moving());
  CHECK(of(counts, KeyOutcome::removed) == 301);
  CHECK(ground.all("to") == before);
  CHECK(ground.storage.keys(from).all().empty());
  CHECK_FALSE(ground.storage.get(from + ":k:1$"));
}

TEST_CASE("a move leaves keys whose copies the target did not take") {
  Ground ground;
  ground.storage.set("from:a", "mine");
  ground.storage.set("from:b", "same", test::lives(std::chrono::hours(2)));
  ground.storage.set("to:a", "theirs");
  ground.storage.set("to:b", "same", test::lives(std::chrono::minutes(1))); // which would end the only copy early
  test::CopyOptions options = moving();
  options.on_conflict = OnConflict::skip;
  const auto counts = ground.copy("from", "to", std::move(options));
  CHECK(of(counts, KeyOutcome::skipped) == 2);
  CHECK(of(counts, KeyOutcome::removed) == 0);
  CHECK(ground.storage.get("from:a") == "mine");
  CHECK(ground.storage.has("from:b"));
}

TEST_CASE("a value that is set while its key is moved is not lost") {
  // A reader looks at the source, and if it has no such key, at the target. It must find the value that was set last.
  Ground ground;
  const std::string from = GENERATE("from", "mem"); // whose drivers give etags
  int copied_again = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string key = ":k" + std::to_string(round);
    ground.storage.set(from + key, "0");
    std::atomic<bool> over{false};
    std::string last = "0";
    std::latch both(2);
    std::thread writer([&] {
      both.arrive_and_wait();
      omnistore::SetOptions present; // what was moved away is not made again
      present.condition.kind = omnistore::Condition::Kind::if_present;
      // A set comes while the move begins, or when the move has copied the value before it and is about to remove it.
      // There are few, since the move leaves a key that changes too often.
      for (int i = 1; i <= 2 && !over; ++i) {
        while (!over && (i > 1 || round % 2 == 0) && ground.storage.get("to" + key) != last) std::this_thread::yield();
        if (!ground.storage.set(from + key, std::to_string(i), present).stored) break;
        last = std::to_string(i);
      }
    });
    test::CopyOptions options = moving();
    options.on_conflict = OnConflict::overwrite;
    both.arrive_and_wait();
    ground.copy(from, "to", std::move(options));
    over = true;
    writer.join();
    const auto left = ground.storage.get(from + key), moved = ground.storage.get("to" + key);
    copied_again += !left && last != "0";
    INFO(from << ": " << last << " was set last, the source has " << left.value_or("none") << ", the target "
              << moved.value_or("none"));
    CHECK((left ? left : moved) == last);
  }
  INFO(from << ": " << copied_again << " moved with a value that was set meanwhile");
  CHECK(copied_again > 0);
}
