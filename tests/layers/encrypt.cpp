// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include <catch2/catch.hpp>
#include <stdlib.h>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

namespace {

std::string key_line(const std::string &id, char digit) { return id + " " + std::string(64, digit); }

/// A folder with values, encrypted by keys.
struct Kept {
  Folder folder;
  std::string store = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage open_with(const std::string &keys, const std::string &more = "") const {
    return open_through(layer("encrypt", R"({ "keys": ")" + keys + "\"" + more + " }"), store);
  }
};

const std::string one = key_line("one", '1'), two = key_line("two", '2');

std::string text(std::size_t size) {
  std::string value;
  for (std::size_t i = 0; value.size() < size; ++i) value += "secret " + std::to_string(i) + " ";
  return value.substr(0, size);
}

/// The status of a get, and its message.
Status reads(Storage &storage, const std::string &key, std::string &message) {
  return status_of([&] { storage.get(key); }, &message);
}

} // namespace

TEST_CASE("encrypt gives values of every size as they were, and knows their sizes") {
  Kept kept;
  Storage storage = kept.open_with(one);
  for (const std::size_t size : {0, 1, 65'535, 65'536, 65'537, 131'072, 300'000}) {
    const std::string value = text(size);
    storage.set("a", value);
    CAPTURE(size);
    CHECK(storage.get("a") == value);
    CHECK(storage.meta("a")->size == size);
    omnistore::ListOptions with_meta;
    with_meta.meta = true;
    CHECK(storage.list("", with_meta).items.at(0).meta.size == size);
  }
}

TEST_CASE("encrypt takes a stream of known and of unknown length") {
  struct Text : omnistore::Source {
    std::string left;
    explicit Text(std::string value) : left(std::move(value)) {}
    std::size_t read(char *into, std::size_t capacity) override {
      const std::size_t some = left.copy(into, std::min<std::size_t>(capacity, 10'000));
      left.erase(0, some);
      return some;
    }
  };
  Kept kept;
  Storage storage = kept.open_with(one);
  for (const std::size_t size : {0, 1, 65'536, 200'000}) {
    for (const bool known : {true, false}) {
      Text source(text(size));
      storage.set("a", source, known ? size : UINT64_MAX);
      CAPTURE(size, known);
      CHECK(storage.get("a") == text(size));
      CHECK(storage.meta("a")->size == size);
    }
  }
}

TEST_CASE("nothing of a value or its user meta can be read in the store") {
  Kept kept;
  Storage storage = kept.open_with(one);
  omnistore::SetOptions options;
  options.user = "secret meta";
  storage.set("name", text(100'000), options);
  CHECK(storage.meta("name")->user == "secret meta");
  std::size_t files = 0;
  for (const auto &file : std::filesystem::recursive_directory_iterator(kept.folder.path())) {
    if (!file.is_regular_file()) continue;
    ++files;
    CHECK(read_file(file.path()).find("secret") == std::string::npos);
  }
  CHECK(files == 2);
}

TEST_CASE("the same value is stored in another way each time") {
  Kept kept;
  Storage storage = kept.open_with(one);
  storage.set("a", "value");
  const std::string before = read_file(kept.folder / "a");
  storage.set("a", "value");
  CHECK(read_file(kept.folder / "a") != before);
}

TEST_CASE("keys are rotated: old values are read with the old key, new ones are written with the new") {
  Kept kept;
  kept.open_with(one).set("old", "value");
  {
    Storage storage = kept.open_with(two + ";" + one);
    CHECK(storage.get("old") == "value");
    storage.set("new", "value");
  }
  {
    Storage storage = kept.open_with(one + ";" + two, R"(, "writeWith": "two")");
    storage.set("chosen", "value");
  }
  Storage storage = kept.open_with(two);
  CHECK(storage.get("new") == "value");
  CHECK(storage.get("chosen") == "value");
  std::string message;
  CHECK(reads(storage, "old", message) == Status::corrupt);
  CHECK(message.find("encrypted with the key one, which is not among the keys") != message.npos);
}

TEST_CASE("a wrong key of the right id is a clear error") {
  Kept kept;
  kept.open_with(one).set("a", "value");
  Storage storage = kept.open_with(key_line("one", '9'));
  std::string message;
  CHECK(reads(storage, "a", message) == Status::corrupt);
  CHECK(message.find("the key one does not fit") != message.npos);
}

TEST_CASE("a value that was altered, cut off or lengthened is corrupt") {
  Kept kept;
  Storage storage = kept.open_with(one);
  storage.set("a", text(200'000));
  const std::string stored = read_file(kept.folder / "a");
  constexpr std::size_t head = 48, chunk = 65'536 + 17;
  std::vector<std::string> damaged = {"",
                                      "plain",
                                      stored + "x",
                                      stored.substr(0, stored.size() - 1),
                                      stored.substr(0, head),
                                      stored.substr(0, head + chunk),
                                      stored.substr(0, head + 2 * chunk)};
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{9}, std::size_t{30}, head, head + chunk + 5, stored.size() - 1}) {
    damaged.push_back(stored);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ 1);
  }
  damaged.push_back(stored.substr(0, head) + stored.substr(head + chunk, chunk) + stored.substr(head, chunk) +
                    stored.substr(head + 2 * chunk)); // two chunks change places
  for (const std::string &each : damaged) {
    write_file(kept.folder / "a", each);
    std::string message;
    CAPTURE(each.size());
    CHECK(reads(storage, "a", message) == Status::corrupt);
  }
}

TEST_CASE("a value that was copied to another name is corrupt there") {
  Kept kept;
  Storage storage = kept.open_with(one);
  storage.set("a", "value");
  std::filesystem::copy_file(kept.folder / "a", kept.folder / "b");
  std::string message;
  CHECK(reads(storage, "b", message) == Status::corrupt);
  CHECK(storage.get("a") == "value");
}

TEST_CASE("keys come from a file or from the environment") {
  Kept kept;
  kept.open_with(one).set("a", "value");
  const Folder elsewhere;
  write_file(elsewhere / "keys", "# comment\n\n" + two + "\n" + one + "\n");
  const auto opened = [&](const std::string &options) { return open_through(layer("encrypt", options), kept.store); };
  CHECK(opened(R"({ "keyFile": ")" + (elsewhere / "keys") + "\" }").get("a") == "value");
  setenv("OMNISTORE_TEST_ENCRYPT_KEYS", (two + ";" + one).c_str(), 1);
  CHECK(opened(R"({ "keyVariable": "OMNISTORE_TEST_ENCRYPT_KEYS" })").get("a") == "value");
}

TEST_CASE("keys that cannot be used are refused, and the message shows none of them") {
  const std::string digits(63, '7');
  for (const std::string &options :
       {std::string("{}"), R"({ "keys": ")" + one + R"(", "keyVariable": "X" })",
        R"({ "keys": "one )" + digits + "\" }", R"({ "keys": "one )" + digits + "g\" }",
        R"({ "keys": "two words )" + digits + "7\" }", R"({ "keys": ")" + one + ";" + one + "\" }",
        std::string(R"({ "keys": "# none" })"), R"({ "keys": ")" + one + R"(", "writeWith": "two" })",
        std::string(R"({ "keyVariable": "OMNISTORE_TEST_NOT_SET" })"),
        std::string(R"({ "keyFile": "/nonexistent/keys" })")}) {
    std::string message;
    CAPTURE(options);
    CHECK(status_of([&] { open_through(layer("encrypt", options)); }, &message) == Status::invalid);
    CHECK(message.find("777") == message.npos);
    CHECK(message.find("1111") == message.npos);
  }
}

TEST_CASE("encrypt does not stand above compress, and compress stands above encrypt") {
  Kept kept;
  const std::string encrypt = layer("encrypt", R"({ "keys": ")" + one + "\" }");
  std::string message;
  for (const std::string &below : {layer("compress"), layer("retry") + ", " + layer("compress")})
    CHECK(status_of([&] { open_through(encrypt + ", " + below, kept.store); }, &message) == Status::invalid);
  CHECK(message.find("let compress stand above encrypt") != message.npos);
  Storage storage = open_through(layer("compress") + ", " + encrypt, kept.store);
  storage.set("a", std::string(100'000, 'x'));
  CHECK(read_file(kept.folder / "a").size() < 1000);
  CHECK(storage.get("a") == std::string(100'000, 'x'));
}
