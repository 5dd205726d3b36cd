// SPDX-License-Identifier: Apache-2.0
// Values that come from a Source piece by piece.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <catch2/catch.hpp>

#include <omnistore/view.hpp>

#include "fixture.hpp"
#include "support/temporary.hpp"

using omnistore::Status;
using omnistore::Storage;

namespace {

/// Gives a text in pieces of at most `most` bytes, and throws after `fails_after` of them.
class Text : public omnistore::Source {
public:
  explicit Text(std::string text, std::size_t most = 7, std::size_t fails_after = SIZE_MAX)
      : text_(std::move(text)), most_(most), fails_after_(fails_after) {}

  std::size_t read(char *into, std::size_t capacity) override {
    if (at_ >= fails_after_) throw std::runtime_error("the sender hung up");
    const std::size_t size = std::min({capacity, most_, text_.size() - at_});
    std::memcpy(into, text_.data() + at_, size);
    at_ += size;
    return size;
  }

private:
  const std::string text_;
  const std::size_t most_, fails_after_;
  std::size_t at_ = 0;
};

/// A storage whose root is one of: files, memory, a driver that can as little as a driver may.
struct Place {
  test::Folder folder;
  Storage storage;

  explicit Place(const std::string &driver)
      : storage(test::open(driver == "fs"
                               ? R"({"": {"driver": "fs", "options": {"base": ")" + (folder / "data") + "\"}}}"
                               : R"({"": {"driver": ")" + driver + "\"}}")) {}
  /// Returns the names in the folder of the files.
  std::size_t files() const {
    namespace fs = std::filesystem;
    const fs::path data = folder / "data";
    if (!fs::exists(data)) return 0;
    return static_cast<std::size_t>(std::distance(fs::recursive_directory_iterator(data), {}));
  }
};

const std::string drivers[] = {"fs", "memory", "bare"};

} // namespace

TEST_CASE("A source's value is stored whole, with and without its size, whatever the driver") {
  Place place(GENERATE(from_range(std::begin(drivers), std::end(drivers))));
  const std::string value(100'000, 'v');
  Text known(value, 999);
  CHECK(place.storage.set("known", known, value.size()));
  Text unknown(value);
  CHECK(place.storage.set("unknown", unknown));
  Text empty("");
  CHECK(place.storage.set("empty", empty, 0));
  CHECK(place.storage.get("known") == value);
  CHECK(place.storage.get("unknown") == value);
  CHECK(place.storage.get("empty") == "");
}

TEST_CASE("A source that throws leaves the old value, and the same exception reaches the caller") {
  Place place(GENERATE(from_range(std::begin(drivers), std::end(drivers))));
  place.storage.set("k", "old");
  const std::size_t before = place.files();
  Text broken(std::string(100, 'n'), 7, 50);
  CHECK_THROWS_WITH(place.storage.set("k", broken, 100), "the sender hung up");
  CHECK(place.storage.get("k") == "old");
  CHECK(place.files() == before);
  Text absent(std::string(100, 'n'), 7, 50);
  CHECK_THROWS_AS(place.storage.set("x:new", absent), std::runtime_error);
  CHECK_FALSE(place.storage.has("x:new"));
  CHECK(place.files() == before);
}

TEST_CASE("A source that gives fewer or more bytes than announced is invalid and leaves the old value") {
  Place place(GENERATE(from_range(std::begin(drivers), std::end(drivers))));
  const std::uint64_t announced = GENERATE(9u, 11u, 0u);
  place.storage.set("k", "old");
  Text source("0123456789");
  CHECK(test::status_of([&] { place.storage.set("k", source, announced); }) == Status::invalid);
  CHECK(place.storage.get("k") == "old");
}

TEST_CASE("A source's value has a ttl, a condition and an etag as any other") {
  Place place(GENERATE(as<std::string>(), "fs", "memory"));
  omnistore::SetOptions options;
  options.ttl = std::chrono::hours(1);
  options.condition.kind = omnistore::Condition::Kind::if_absent;
  Text first("first"), second("second");
  const auto stored = place.storage.set("k", first, UINT64_MAX, options, true);
  CHECK(stored);
  CHECK(place.storage.meta("k")->etag == stored.etag);
  CHECK(place.storage.meta("k")->expiry > 0);
  CHECK_FALSE(place.storage.set("k", second, UINT64_MAX, options));
  CHECK(place.storage.get("k") == "first");
}

TEST_CASE("A view's source goes under its base") {
  Place place("memory");
  Text source("v");
  place.storage.prefixed("a").set("k", source);
  CHECK(place.storage.get("a:k") == "v");
}

TEST_CASE("The deadline of a streamed value restarts with each of its pieces") {
  class Slow : public omnistore::Source {
  public:
    std::size_t read(char *into, std::size_t) override {
      // The source's own time is not the store's.
      const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
      while (std::chrono::steady_clock::now() < until) {
      }
      *into = 'v';
      return pieces_++ < 10 ? 1 : 0;
    }

  private:
    int pieces_ = 0;
  };
  Place place("fs");
  omnistore::SetOptions options;
  options.timeout = std::chrono::milliseconds(25);
  Slow source;
  CHECK(place.storage.set("k", source, UINT64_MAX, options));
  CHECK(place.storage.get("k")->size() == 10);
}

TEST_CASE("A store says whether its values come and go in pieces") {
  Place files("fs"), memory("memory");
  CHECK(files.storage.route("k").streams.reads);
  CHECK(files.storage.route("k").streams.writes);
  CHECK_FALSE(memory.storage.route("k").streams.reads);
  CHECK_FALSE(memory.storage.route("k").streams.writes);
}
