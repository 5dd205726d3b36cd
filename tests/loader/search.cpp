// SPDX-License-Identifier: Apache-2.0
// The places of plugins, their order, and the message when a driver is not found.
#include "loader/search.hpp"

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "support.hpp"

using namespace test;
using omnistore::Error;
using omnistore::Status;

namespace {

std::string failure(Registry &registry, const std::string &name, Status status) {
  try {
    registry.find(name);
  } catch (const Error &error) {
    CHECK(error.status() == status);
    return error.what();
  }
  FAIL("found " + name);
  return {};
}

} // namespace

TEST_CASE("places are the config's, the environment's, the build's and the installed ones, in this order") {
  const Variable paths("OMNISTORE_PLUGIN_PATH", "/first:/second/");
  const auto searched = Registry({{"/config/a", "/config/b.so"}, {}}).searched();
  const auto build = std::filesystem::canonical(OMNISTORE_BUILD).string(); // this program is BUILD/tests/test_loader
  CHECK(searched == std::vector<std::string>{"/config/a", "/config/b.so", "/first", "/second", build + "/plugins",
                                             build + "/lib/omnistore/plugins", OMNISTORE_INSTALLED_PLUGINS});
}

TEST_CASE("empty parts of OMNISTORE_PLUGIN_PATH are nothing, relative ones are under the working folder") {
  const Variable paths("OMNISTORE_PLUGIN_PATH", "::here:");
  const auto searched = Registry({}).searched();
  CHECK(searched.size() == 4);
  CHECK(searched.at(0) == (std::filesystem::current_path() / "here").string());
}

TEST_CASE("a place that is named twice is one") {
  const Variable paths("OMNISTORE_PLUGIN_PATH", "/a:/b");
  CHECK(Registry({{"/b", "/b/"}, {}}).searched().size() == 5);
}

TEST_CASE("plugins are found in OMNISTORE_PLUGIN_PATH") {
  const Folder folder;
  put(folder, "good", "sample");
  const Variable paths("OMNISTORE_PLUGIN_PATH", folder.path().c_str());
  CHECK(Registry({}).find("sample")->file == folder / "sample.so");
}

TEST_CASE("a config's path may be a file, with any name") {
  const Folder folder;
  std::filesystem::copy_file(built("good"), folder / "plugin.bin");
  CHECK(Registry({{folder / "plugin.bin"}, {}}).find("sample")->file == folder / "plugin.bin");
}

TEST_CASE("a place that does not exist is no failure") {
  const Folder folder;
  put(folder, "good", "sample");
  CHECK(Registry({{folder / "absent", folder.path()}, {}}).find("sample"));
}

TEST_CASE("the first folder that has a driver gives it") {
  const Folder first, second;
  put(first, "answers_1111", "sample");
  put(second, "answers_2222", "sample");
  CHECK(answer(*Registry({{first.path(), second.path()}, {}}).find("sample")) == 1111);
  CHECK(answer(*Registry({{second.path(), first.path()}, {}}).find("sample")) == 2222);
}

TEST_CASE("a driver's file may be called by its name, with omnistore- or lib before it") {
  for (const char *name : {"sample", "omnistore-sample", "libsample", "libomnistore-sample"}) {
    const Folder folder;
    put(folder, "good", name);
    write_file(folder / "aaa.so", "");
    Registry registry({{folder.path()}, {}});
    CHECK(registry.find("sample")->file == folder / (std::string(name) + ".so"));
    CHECK(registry.rejected().empty()); // aaa.so was not looked at
  }
}

TEST_CASE("a file that is named after the driver is loaded, and no other") {
  const Folder folder;
  put(folder, "good", "sample");
  write_file(folder / "aaa.so", "not a library");
  Registry registry({{folder.path()}, {}});
  CHECK(registry.find("sample"));
  CHECK(registry.rejected().empty()); // aaa.so was not looked at
}

TEST_CASE("a driver is found in a file of any name") {
  const Folder folder;
  put(folder, "two_drivers", "samples-of-all-kinds");
  Registry registry({{folder.path()}, {}});
  CHECK(registry.find("other"));
  CHECK(registry.find("sample"));
}

TEST_CASE("hidden files and those with another suffix are no plugins") {
  const Folder folder;
  write_file(folder / ".hidden.so", "x");
  write_file(folder / "plugin.so.old", "x");
  write_file(folder / "README.md", "x");
  Registry registry({{folder.path()}, {}});
  registry.all();
  CHECK(registry.rejected().empty());
}

TEST_CASE("all gives every driver of every plugin that can be loaded") {
  const Folder folder;
  put(folder, "good", "sample");
  put(folder, "open_throws", "x");
  put(folder, "half_bad", "y");
  write_file(folder / "broken.so", "");
  const Variable paths("OMNISTORE_PLUGIN_PATH", nullptr);
  Registry registry({{folder.path()}, {}});
  const auto drivers = names(registry.all());
  for (const char *name : {"sample", "throws", "other"})
    CHECK(std::count(drivers.begin(), drivers.end(), std::string(name)) == 1);
  CHECK(reject_of(registry, folder / "broken.so").reason == "it is empty");
}

TEST_CASE("the first of two plugins with one driver name in the search order stays, and both are named") {
  const Folder first, second;
  put(first, "answers_1111", "x");
  put(second, "answers_2222", "y");
  Registry registry({{first.path(), second.path()}, {}});
  registry.all();
  CHECK(answer(*registry.find("sample")) == 1111);
  const RejectedPlugin reject = reject_of(registry, second / "y.so");
  CHECK(
      contains(reject.reason, "its driver 'sample' is not used, since " + (first / "x.so") + " has one of that name"));
}

TEST_CASE("the other drivers of a plugin stay when one of its names is taken") {
  const Folder first, second;
  put(first, "other", "other");
  put(second, "two_drivers", "pair");
  Registry registry({{first.path(), second.path()}, {}});
  const auto drivers = names(registry.all());
  CHECK(std::count(drivers.begin(), drivers.end(), "sample") == 1);
  CHECK(registry.find("other")->file == first / "other.so");
}

TEST_CASE("all and find agree on which of two plugins has a driver") {
  const Folder first, second;
  put(first, "answers_1111", "zoo");
  put(second, "answers_2222", "sample");
  const omnistore::loader::SearchPaths paths{{first.path(), second.path()}, {}};
  Registry asked(paths);
  asked.find("sample");
  asked.all();
  Registry listed(paths);
  listed.all();
  CHECK(answer(*asked.find("sample")) == 2222); // the one that bears its name
  CHECK(answer(*listed.find("sample")) == 2222);
  CHECK(reject_of(asked, first / "zoo.so").text() == reject_of(listed, first / "zoo.so").text());
}

TEST_CASE("if two files in one folder are named after a driver, the plainer name wins for every caller") {
  const Folder folder;
  put(folder, "answers_1111", "libsample");
  put(folder, "answers_2222", "sample");
  CHECK(answer(*Registry({{folder.path()}, {}}).find("sample")) == 2222);
  Registry listed({{folder.path()}, {}});
  listed.all();
  CHECK(answer(*listed.find("sample")) == 2222);
}

TEST_CASE("one file under two names is one plugin") {
  const Folder folder;
  put(folder, "good", "sample");
  std::filesystem::create_symlink("sample.so", folder / "a.so");
  Registry registry({{folder / "sample.so", folder.path()}, {}});
  registry.all();
  CHECK(registry.rejected().empty());
}

TEST_CASE("a driver that is not found lists the drivers, the places, the rejects, and the nearest name") {
  const Folder folder;
  put(folder, "good", "first");
  put(folder, "other", "second");
  write_file(folder / "broken.so", "");
  Registry registry({{folder / "absent", folder.path()}, {}});
  const std::string text = failure(registry, "sampel", Status::not_found);
  CHECK(contains(text, "there is no driver 'sampel'; did you mean 'sample'?\n"));
  CHECK(contains(text, "\n  drivers: "));
  CHECK(contains(text, "other"));
  CHECK(contains(text, "\n    " + (folder / "absent") + " (config): no such file or folder\n"));
  CHECK(contains(text, "\n    " + folder.path().string() + " (config): 3 plugin files\n"));
  CHECK(contains(text, "\n    " + (folder / "broken.so") + ": it is empty; build or copy it again"));
  for (const std::string &place : registry.searched()) CHECK(contains(text, "\n    " + place + " ("));
}

TEST_CASE("a driver whose own file is bad is invalid, with the reason and no search") {
  const Folder folder;
  write_file(folder / "sample.so", "");
  write_file(folder / "untouched.so", "");
  Registry registry({{folder.path()}, {}});
  const std::string text = failure(registry, "sample", Status::invalid);
  CHECK(text ==
        "the driver 'sample' cannot be used:\n  " + (folder / "sample.so") + ": it is empty; build or copy it again");
  CHECK(registry.rejected().size() == 1);
}

TEST_CASE("a driver that a plugin of another name offers badly is invalid, with the reason") {
  const Folder folder;
  put(folder, "no_required", "x");
  Registry registry({{folder.path()}, {}});
  CHECK(contains(failure(registry, "sample", Status::invalid), "lacks required functions: close, list"));
}

TEST_CASE("if the first file of a driver is bad the next place serves, with a warning") {
  const Folder first, second;
  write_file(first / "sample.so", "");
  put(second, "good", "sample");
  Registry registry({{first.path(), second.path()}, {}});
  const Log log;
  CHECK(registry.find("sample")->file == second / "sample.so");
  CHECK(contains(log.text.str(), "driver sample: taken from " + (second / "sample.so")));
  CHECK(contains(log.text.str(), (first / "sample.so") + ": it is empty"));
  CHECK(reject_of(registry, first / "sample.so").reason == "it is empty");
}

TEST_CASE("a driver's name leads out of no folder") {
  const Folder folder;
  std::filesystem::create_directory(folder / "inner");
  write_file(folder / "sample.so", "");
  Registry registry({{folder / "inner"}, {}});
  failure(registry, "../sample", Status::not_found);
  CHECK(registry.rejected().empty());
}

TEST_CASE("a plugin that is mended or added is found by the next search") {
  const Folder folder;
  write_file(folder / "sample.so", "");
  Registry registry({{folder.path()}, {}});
  failure(registry, "sample", Status::invalid);
  put(folder, "good", "sample");
  CHECK(registry.find("sample"));
  CHECK(registry.rejected().empty());
  put(folder, "other", "late");
  CHECK(registry.find("other"));
}

TEST_CASE("a registry may be used from many threads") {
  const Folder folder;
  put(folder, "good", "sample");
  put(folder, "other", "other");
  put(folder, "open_throws", "x");
  Registry registry({{folder.path()}, {}});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const std::string name = std::array{"sample", "other", "throws"}[static_cast<std::size_t>(i) % 3];
      const DriverPtr first = registry.find(name);
      wrong += first->name != name || registry.find(name) != first;
      wrong += registry.all().size() < 3;
      wrong += !registry.rejected().empty();
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(wrong == 0);
}
