// SPDX-License-Identifier: Apache-2.0
// A storage over files that other programs change, too.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include "fixture.hpp"
#include "support/temporary.hpp"

using omnistore::Event;
using omnistore::Storage;
using omnistore::Watch;
using test::Events;
using test::write_file;

namespace {

std::string file_mounts(const test::Folder &folder) {
  return R"({ "": { "driver": "memory" }, "files": { "driver": "fs", "options": { "base": ")" + folder.path().string() +
         R"(" } } })";
}

std::string said(const Event &event) {
  static const char *const causes[] = {"", " removed", " expired", " evicted", " cleared"};
  const std::string cause = causes[static_cast<int>(event.cause)];
  if (event.type == Event::Type::resync) return "resync";
  return (event.type == Event::Type::update ? "update " : "remove ") + event.key + cause;
}

/// Returns the reports, without the first `from`, up to an event that comes last.
std::vector<std::string> said_until(Events &events, const std::string &last, std::size_t from = 0) {
  std::vector<std::string> texts;
  for (std::size_t count = from + 1;; count = texts.size() + from + 1) {
    const std::vector<Event> all = events.wait_for(count);
    texts.clear();
    for (std::size_t i = from; i < all.size(); ++i) texts.push_back(said(all[i]));
    if (std::find(texts.begin(), texts.end(), last) != texts.end() || all.size() < count) return texts;
  }
}
using Texts = std::vector<std::string>;

Texts without_repeats(Texts texts) {
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

} // namespace

TEST_CASE("another program's changes to a mount's files are reported, and the storage's own writes once") {
  const test::Folder folder;
  Storage storage = test::open(file_mounts(folder));
  Events events;
  const Watch watch = storage.watch("", events.callback());
  storage.set("files:k", "ours");
  storage.remove("files:k");
  storage.set("files:a:b", "ours");
  storage.clear("files:a");
  storage.set("m", "ours");
  write_file(folder / "theirs", "1");
  const Texts own = {"update files:k", "remove files:k removed", "update files:a:b", "remove files:a:b cleared",
                     "update m",       "update files:theirs"};
  CHECK(said_until(events, "update files:theirs") == own);
  std::filesystem::remove(folder / "theirs");
  CHECK(said_until(events, "remove files:theirs removed", own.size()) == Texts{"remove files:theirs removed"});
}

TEST_CASE("if a storage and another program set one key in turn, each change is reported") {
  const test::Folder folder;
  Storage storage = test::open(file_mounts(folder));
  Events events;
  const Watch watch = storage.watch("files:k", events.callback());
  std::size_t told = 0;
  for (int i = 0; i < 10; ++i) {
    storage.set("files:k", "ours");
    CHECK(said_until(events, "update files:k", told).size() == 1);
    ++told;
    write_file(folder / "k", "them");
    CHECK_FALSE(said_until(events, "update files:k", told).empty());
    std::filesystem::remove(folder / "k");
    told += said_until(events, "remove files:k removed", told).size();
  }
}

TEST_CASE("a change of a key's meta by another program is an update of the key") {
  const test::Folder folder;
  Storage storage = test::open(file_mounts(folder));
  storage.set("files:k", "v");
  Events events;
  const Watch watch = storage.watch("files:k", events.callback());
  write_file(folder / "other", "v");
  write_file(folder / "k$", "{}");
  CHECK(said_until(events, "update files:k") == Texts{"update files:k"});
}

TEST_CASE("a watch of one key or base hears of files that appear later, and of no others") {
  const test::Folder folder;
  Storage storage = test::open(file_mounts(folder));
  Events events;
  const Watch watch = storage.watch("files:a:b", events.callback());
  write_file(folder / "x", "v");
  write_file(folder / "a/c", "v");
  write_file(folder / "a/bc", "v");
  write_file(folder / "a/b", "v");
  // A file that is found while it is written may be reported twice: when it is found, and when it was written.
  CHECK(without_repeats(said_until(events, "update files:a:b")) == Texts{"update files:a:b"});
  std::filesystem::remove(folder / "a/b");
  std::filesystem::create_directory(folder / "a/b");
  said_until(events, "remove files:a:b removed");
  write_file(folder / "a/b/deep/1", "v");
  const Texts all = {"update files:a:b", "remove files:a:b removed", "update files:a:b:deep:1"};
  CHECK(without_repeats(said_until(events, "update files:a:b:deep:1")) == all);
}

TEST_CASE("a folder that leaves a mount is a resync") {
  const test::Folder folder, outside;
  Storage storage = test::open(file_mounts(folder));
  storage.set("files:a:b", "v");
  Events events;
  const Watch watch = storage.watch("files", events.callback());
  std::filesystem::rename(folder / "a", outside / "a");
  CHECK(said_until(events, "resync") == Texts{"resync"});
}
