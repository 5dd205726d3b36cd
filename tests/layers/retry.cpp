// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Condition;
using omnistore::Status;
using omnistore::Storage;

namespace {

const std::string quick = layer("retry", R"({ "attempts": 3, "backoff": 1 })");

omnistore::SetOptions if_absent() {
  omnistore::SetOptions options;
  options.condition.kind = Condition::Kind::if_absent;
  return options;
}

} // namespace

TEST_CASE("retry reads again until the store has a result") {
  Trigger trigger;
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options()));
  storage.set("a", "value");
  trigger.say("2");
  CHECK(storage.get("a") == "value");
  trigger.say("02");
  CHECK(storage.meta("a")->size == 5);
  trigger.say("002");
  CHECK(storage.list("").items.size() == 1);
  CHECK(counter(storage, "faults") == 6);
  CHECK(counter(storage, "retries") == 6);
}

TEST_CASE("retry fails after its attempts, and says how many there were") {
  Trigger trigger;
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options(R"("message": "no route")")));
  trigger.say("on");
  std::string message;
  CHECK(status_of([&] { storage.get("a"); }, &message) == Status::unavailable);
  CHECK(message.find("after 3 attempts: no route") != message.npos);
  CHECK(counter(storage, "faults") == 3);
  CHECK(counter(storage, "gave_up") == 1);
}

TEST_CASE("retry does not repeat an operation that would fail in the same way") {
  for (const char *status : {"io", "denied", "corrupt", "no_space", "internal"}) {
    Trigger trigger;
    Storage storage =
        open_through(quick + ", " + layer("fault", trigger.options(R"("status": ")" + std::string(status) + '"')));
    trigger.say("on");
    status_of([&] { storage.get("a"); });
    CAPTURE(status);
    CHECK(counter(storage, "faults") == 1);
  }
}

TEST_CASE("retry repeats an unconditional write whatever became of it") {
  Trigger trigger;
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options(R"("when": "after")")));
  trigger.say("2");
  storage.set("a", "value");
  CHECK(storage.get("a") == "value");
  trigger.say("1");
  CHECK(storage.remove("a")); // the first attempt removed it
  CHECK(counter(storage, "faults") == 3);
}

TEST_CASE("retry repeats a conditional write only if nothing was done") {
  Trigger trigger;
  const std::string when = GENERATE("before", "after");
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options(R"("when": ")" + when + '"')));
  trigger.say("1");
  const Status status = status_of([&] { storage.set("a", "value", if_absent()); });
  CHECK(status == (when == "before" ? Status::ok : Status::unavailable));
  CHECK(storage.get("a") == "value");
}

TEST_CASE("retry never sends a stream again that was read") {
  struct Once : omnistore::Source {
    std::string left = "value";
    std::size_t read(char *into, std::size_t capacity) override {
      const std::size_t some = left.copy(into, capacity);
      left.erase(0, some);
      return some;
    }
  };
  const Folder folder;
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Trigger trigger;
  const std::string when = GENERATE("before", "after");
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options(R"("when": ")" + when + '"')), files);
  trigger.say("1");
  Once source;
  const Status status = status_of([&] { storage.set("a", source); });
  CHECK(status == (when == "before" ? Status::ok : Status::unavailable));
  CHECK(counter(storage, "retries") == (when == "before" ? 1 : 0));
  CHECK(storage.get("a") == "value");
}

TEST_CASE("retry never gives a value again that has begun") {
  Trigger trigger;
  const Folder folder;
  write_file(folder / "a", "value");
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options(R"("cut": 2)")), files);
  trigger.say("1");
  CHECK(status_of([&] { storage.get("a"); }) == Status::unavailable);
  CHECK(counter(storage, "faults") == 1);
}

TEST_CASE("retry sends only those items of a batch again that failed") {
  Trigger trigger;
  Storage storage = open_through(quick + ", " + layer("fault", trigger.options()));
  for (const char *key : {"a", "b", "c"}) storage.set(key, key);
  trigger.say("2");
  const std::vector<std::string> keys = {"a", "b", "c"};
  const auto got = storage.get_many(keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(got[i].status == Status::ok);
    CHECK(got[i].entry.value == keys[i]);
  }
  CHECK(counter(storage, "faults") == 2);
}

TEST_CASE("retry does not wait if the store needs more time than the caller has") {
  Storage storage = open_through(quick + ", " + layer("fault", R"({ "retryAfter": "1h" })"));
  omnistore::GetOptions options;
  options.timeout = std::chrono::minutes(1);
  CHECK(status_of([&] { storage.get("a", options); }) == Status::unavailable);
  CHECK(counter(storage, "faults") == 1);
}

TEST_CASE("retry ends a pause when the caller goes away") {
  Storage storage = open_through(layer("retry", R"({ "backoff": "1h", "maxBackoff": "1h" })") + ", " + layer("fault"));
  std::atomic<bool> gone = false;
  omnistore::GetOptions options;
  options.cancelled = &gone;
  std::thread leaver([&] {
    while (counter(storage, "faults") == 0) std::this_thread::yield();
    gone = true;
  });
  CHECK(status_of([&] { storage.get("a", options); }) != Status::ok);
  leaver.join();
  CHECK(counter(storage, "faults") == 1);
}
