// SPDX-License-Identifier: Apache-2.0
#include <random>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

namespace {

std::string noise(std::size_t size) {
  std::minstd_rand random(1);
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(random() >> 8);
  return bytes;
}

/// A stream of lines, made as it is read.
struct Lines : omnistore::Source {
  explicit Lines(std::size_t bytes) : left(bytes) {}
  std::size_t left;
  std::size_t read(char *into, std::size_t capacity) override {
    const std::size_t some = std::min(left, capacity);
    for (std::size_t i = 0; i < some; ++i) into[i] = "a line of a log\n"[(left - i) % 16];
    left -= some;
    return some;
  }
};

struct Kept {
  Folder folder;
  std::string store = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
};

} // namespace

TEST_CASE("compress stores a value in less room, and gives it as it was") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  const std::string value(100'000, 'x');
  storage.set("a", value);
  CHECK(read_file(kept.folder / "a").size() < 1000);
  CHECK(storage.get("a") == value);
  CHECK(storage.meta("a")->size == value.size());
}

TEST_CASE("compress stores small values and noise byte for byte") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  for (const std::string &value : {std::string("small"), std::string(), noise(10'000)}) {
    storage.set("a", value);
    CHECK(read_file(kept.folder / "a") == value);
    CHECK(storage.get("a") == value);
    CHECK(storage.meta("a")->size == value.size());
  }
}

TEST_CASE("compress reads a value that was there before it as it is") {
  Kept kept;
  write_file(kept.folder / "a", std::string(5000, 'y'));
  write_file(kept.folder / "b", "\xF5OMNIZ"); // the start of a header
  Storage storage = open_through(layer("compress"), kept.store);
  CHECK(storage.get("a") == std::string(5000, 'y'));
  CHECK(storage.meta("a")->size == 5000);
  CHECK(storage.get("b") == "\xF5OMNIZ");
}

TEST_CASE("compress keeps a value that looks like one of its own") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  for (const std::string &value : {std::string("\xF5OMNIZ\x01"), "\xF5OMNIZ\x01z" + noise(5000)}) {
    storage.set("a", value);
    CHECK(storage.get("a") == value);
    CHECK(storage.meta("a")->size == value.size());
  }
}

TEST_CASE("compress takes a stream of known and of unknown length") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  for (const std::size_t size : {0, 255, 256, 257, 131'072, 3'000'000}) {
    for (const bool known : {true, false}) {
      Lines lines(size);
      storage.set("a", lines, known ? size : UINT64_MAX);
      CAPTURE(size, known);
      std::string wanted(size, 0);
      Lines(size).read(wanted.data(), size); // in one piece
      const std::string got = *storage.get("a");
      CHECK(got == wanted);
    }
  }
  CHECK(read_file(kept.folder / "a").size() < 10'000);
}

TEST_CASE("a value that compress cannot decode is corrupt, however it was damaged") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  std::string value;
  for (int i = 0; i < 20'000; ++i) value += std::to_string(i);
  storage.set("a", value);
  const std::string stored = read_file(kept.folder / "a");
  std::string flipped = stored, longer = stored + "x", unknown = stored;
  flipped[stored.size() / 2] ^= 1;
  unknown[7] = '?';
  for (const std::string &damaged :
       {flipped, longer, unknown, stored.substr(0, stored.size() - 1), stored.substr(0, 16)}) {
    write_file(kept.folder / "a", damaged);
    CHECK(status_of([&] { storage.get("a"); }) == Status::corrupt);
  }
}

TEST_CASE("compress decodes each value of a batch, and reports the damaged one") {
  Kept kept;
  Storage storage = open_through(layer("compress"), kept.store);
  const std::string value(5000, 'x');
  std::vector<omnistore::SetItem> items = {{"a", value, {}}, {"b", value, {}}, {"c", "small", {}}};
  storage.set_many(items);
  CHECK(read_file(kept.folder / "a").size() < 200);
  write_file(kept.folder / "b", read_file(kept.folder / "b").substr(0, 20));
  const std::vector<std::string> keys = {"a", "b", "c", "d"};
  const auto got = storage.get_many(keys);
  CHECK(got[0].entry.value == value);
  CHECK(got[1].status == Status::corrupt);
  CHECK(got[2].entry.value == "small");
  CHECK(got[3].status == Status::not_found);
}

TEST_CASE("compress does not stand above compress") {
  std::string message;
  const std::string between = GENERATE("", "readonly", "retry");
  const std::string below = between.empty() ? "" : ", " + layer(between);
  CHECK(status_of([&] { open_through(layer("compress") + below + ", " + layer("compress")); }, &message) ==
        Status::invalid);
  CHECK(message.find("take one of them away") != message.npos);
}
