// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("fault strikes the operations that it names alone") {
  Storage storage = open_through(layer("fault", R"({ "operations": ["get"], "status": "io" })"));
  storage.set("a", "value");
  CHECK(storage.has("a"));
  CHECK(status_of([&] { storage.get("a"); }) == Status::io);
}

TEST_CASE("a write that fault strikes before it is done is not done, one that is struck after it is") {
  for (const std::string when : {"before", "after"}) {
    Storage storage = open_through(layer("fault", R"({ "operations": ["set"], "when": ")" + when + "\" }"));
    CHECK(status_of([&] { storage.set("a", "value"); }) == Status::unavailable);
    CHECK(storage.has("a") == (when == "after"));
  }
}

TEST_CASE("fault tears a value after so many bytes") {
  struct Taken : omnistore::Reader {
    std::string bytes;
    char *begin(const omnistore::Meta &) override { return nullptr; }
    void write(std::string_view more) override { bytes += more; }
  };
  const Folder folder;
  write_file(folder / "a", std::string(100'000, 'x'));
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage storage = open_through(layer("fault", R"({ "cut": 70000, "status": "io" })"), files);
  Taken taken;
  CHECK(status_of([&] { storage.read("a", taken); }) == Status::io);
  CHECK(taken.bytes.size() == 70'000);
}

TEST_CASE("fault obeys its trigger file") {
  Trigger trigger;
  Storage storage = open_through(layer("fault", trigger.options()));
  const auto fails = [&] { return status_of([&] { storage.get("a"); }) != Status::ok; };
  CHECK(!fails());
  trigger.say("on\n");
  CHECK(fails());
  trigger.say("off");
  CHECK(!fails());
  trigger.say("2");
  CHECK((fails() && fails()));
  CHECK(!fails());
}

TEST_CASE("fault repeats a run with the same seed") {
  const auto run = [](const std::string &seed) {
    Storage storage = open_through(layer("fault", R"({ "probability": 0.5, "seed": )" + seed + " }"));
    std::string outcome;
    for (int i = 0; i < 64; ++i) outcome += status_of([&] { storage.get("a"); }) == Status::ok ? '.' : 'x';
    return outcome;
  };
  CHECK(run("7") == run("7"));
  CHECK(run("7") != run("8"));
  CHECK(run("7").find('.') != std::string::npos);
  CHECK(run("7").find('x') != std::string::npos);
}
