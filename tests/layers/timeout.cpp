// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

namespace {
const std::string held_up = layer("fault", R"({ "delay": "1h", "status": "none" })");
}

TEST_CASE("timeout ends an operation that takes too long, and names the store that it waited for") {
  Storage storage = open_through(layer("timeout", R"({ "timeout": "30ms" })") + ", " + held_up);
  std::string message;
  CHECK(status_of([&] { storage.get("a"); }, &message) == Status::timeout);
  CHECK(message.find("fault did not respond within 30 ms") != message.npos);
}

TEST_CASE("timeout names the store for each item of a batch") {
  Storage storage = open_through(layer("timeout", R"({ "timeout": "30ms" })") + ", " + held_up);
  const std::vector<std::string> keys = {"a", "b"};
  for (const auto &each : storage.get_many(keys)) {
    CHECK(each.status == Status::timeout);
    CHECK(each.message.find("fault did not respond within 30 ms") != each.message.npos);
  }
}

TEST_CASE("timeout leaves a caller's deadline that is sooner") {
  Storage storage = open_through(layer("timeout", R"({ "timeout": "1h" })") + ", " + held_up);
  std::string message;
  omnistore::GetOptions soon;
  soon.timeout = std::chrono::milliseconds(30);
  CHECK(status_of([&] { storage.get("a", soon); }, &message) == Status::timeout);
  CHECK(message.find("3600000 ms") == message.npos);
}

TEST_CASE("timeout does not count the time that a writer takes to send") {
  struct Slow : omnistore::Source {
    int left = 2;
    std::size_t read(char *into, std::size_t) override {
      if (left-- == 0) return 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(400)); // what is measured: a client slower than the timeout
      *into = 'x';
      return 1;
    }
  } source;
  const Folder folder;
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage storage = open_through(layer("timeout", R"({ "timeout": "300ms" })") + ", " +
                                     layer("fault", R"({ "operations": ["set"], "delay": "1ms", "status": "none" })"),
                                 files);
  storage.set("a", source);
  CHECK(storage.get("a") == "xx");
}
