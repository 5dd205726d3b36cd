// SPDX-License-Identifier: Apache-2.0
// Which changes of a config and its plugins the host sees: all that change what the paths lead to.
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../fs/injected.hpp"
#include "service/config_watch.hpp"
#include "support/log_lines.hpp"
#include "support/temporary.hpp"

namespace fs = std::filesystem;

namespace {

std::atomic<int> refused_instances{0}, refused_watches{0}; // errno, 0: none

} // namespace

// These stand in for the functions of the C library.
extern "C" int inotify_init1(int flags) noexcept {
  if (const int error = refused_instances; error != 0) return errno = error, -1;
  return static_cast<int>(::syscall(SYS_inotify_init1, flags));
}
extern "C" int inotify_add_watch(int notify, const char *path, uint32_t mask) noexcept {
  if (const int error = refused_watches; error != 0) return errno = error, -1;
  return static_cast<int>(::syscall(SYS_inotify_add_watch, notify, path, mask));
}

namespace {

/// A watch of a config and a folder of plugins below `root`, with its reports.
class Watched {
public:
  explicit Watched(const fs::path &config, const fs::path &plugins = {}) {
    paths_.config = config.string();
    if (!plugins.empty()) paths_.plugins = {plugins.string()};
  }
  void start() {
    watch_.emplace(
        omnistore::service::states_of(paths_), [this] { return paths_; },
        [this](std::string_view why) {
          const std::lock_guard lock(mutex_);
          told_.emplace_back(why);
          changed_.notify_all();
        });
    settle();
  }
  /// Returns when everything that happened until now is reported or was seen to be nothing.
  void settle() {
    watch_->poke("asked");
    next("asked");
  }
  /// Returns the next report.
  std::string next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return !told_.empty(); })) return "nothing";
    std::string text = told_.front();
    told_.erase(told_.begin());
    return text;
  }
  void refresh() { watch_->refresh(); }

private:
  void next(const std::string &wanted) {
    for (std::string text = next(); text != wanted; text = next()) REQUIRE(text != "nothing");
  }

  omnistore::service::WatchedPaths paths_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
  std::optional<omnistore::service::ConfigWatch> watch_;
};

/// A link that takes another's place at once.
void switch_link(const fs::path &link, const fs::path &target) {
  const fs::path fresh = link.string() + ".fresh";
  fs::create_symlink(target, fresh);
  fs::rename(fresh, link);
}

const std::string changed = "the config file changed", gone = "the config file is gone";

} // namespace

TEST_CASE("a config at the end of a link is watched in its own folder, and at the link") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_directory(root / "etc");
  test::write_file(root / "real.jsonc", "1");
  test::write_file(root / "other.jsonc", "2");
  fs::create_symlink("../real.jsonc", root / "etc/o.jsonc");
  Watched watched(root / "etc/o.jsonc");
  watched.start();
  test::write_file(root / "real.jsonc", "one");
  CHECK(watched.next() == changed);
  switch_link(root / "etc/o.jsonc", "../other.jsonc");
  CHECK(watched.next() == changed);
  test::write_file(root / "other.jsonc", "two");
  CHECK(watched.next() == changed);
}

TEST_CASE("a config after a chain of absolute and relative links is watched at each of them") {
  const test::Folder folder;
  const fs::path root = folder.path();
  for (const char *name : {"a", "b", "c", "d"}) fs::create_directory(root / name);
  test::write_file(root / "d/o.jsonc", "1");
  test::write_file(root / "d/p.jsonc", "2");
  fs::create_symlink(root / "b/link", root / "a/o.jsonc");
  fs::create_symlink("../c/link", root / "b/link");
  fs::create_symlink(root / "d/o.jsonc", root / "c/link");
  Watched watched(root / "a/o.jsonc");
  watched.start();
  test::write_file(root / "d/o.jsonc", "one");
  CHECK(watched.next() == changed);
  switch_link(root / "c/link", root / "d/p.jsonc");
  CHECK(watched.next() == changed);
  switch_link(root / "b/link", "../d/o.jsonc");
  CHECK(watched.next() == changed);
}

TEST_CASE("a config below a link to a release is watched as the link is switched") {
  const test::Folder folder;
  const fs::path root = folder.path();
  for (const char *release : {"releases/1/etc", "releases/2/etc"}) {
    fs::create_directories(root / release);
    test::write_file(root / release / "o.jsonc", release);
  }
  fs::create_symlink("releases/1", root / "current");
  Watched watched(root / "current/etc/o.jsonc");
  watched.start();
  switch_link(root / "current", "releases/2");
  CHECK(watched.next() == changed);
  test::write_file(root / "releases/2/etc/o.jsonc", "2");
  CHECK(watched.next() == changed);
}

TEST_CASE("a config in a folder of Kubernetes is watched as its data are swapped") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_directory(root / "..2024_1");
  test::write_file(root / "..2024_1/o.jsonc", "1");
  fs::create_symlink("..2024_1", root / "..data");
  fs::create_symlink("..data/o.jsonc", root / "o.jsonc");
  Watched watched(root / "o.jsonc");
  watched.start();
  for (const std::string version : {"..2024_2", "..2024_3"}) {
    const fs::path old = fs::read_symlink(root / "..data");
    fs::create_directory(root / version);
    test::write_file(root / version / "o.jsonc", version);
    switch_link(root / "..data", version);
    fs::remove_all(root / old);
    CHECK(watched.next() == changed);
    watched.settle();
  }
}

TEST_CASE("a config whose folder is replaced is watched in the new one") {
  const std::string replaced = GENERATE("a/b", "a");
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_directories(root / "a/b");
  test::write_file(root / "a/b/o.jsonc", "1");
  fs::create_directories(root / "new/b");
  test::write_file(root / "new/o.jsonc", "2");
  test::write_file(root / "new/b/o.jsonc", "2");
  Watched watched(root / "a/b/o.jsonc");
  watched.start();
  fs::rename(root / replaced, root / "old");
  fs::rename(root / "new", root / replaced);
  std::string told = watched.next();
  if (told == gone) told = watched.next();
  CHECK(told == changed);
  watched.settle();
  test::write_file(root / "a/b/o.jsonc", "three");
  CHECK(watched.next() == changed);
}

TEST_CASE("a config whose folder is removed and made again is watched") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_directories(root / "a/b");
  test::write_file(root / "a/b/o.jsonc", "1");
  Watched watched(root / "a/b/o.jsonc");
  watched.start();
  fs::remove_all(root / "a");
  CHECK(watched.next() == gone);
  fs::create_directories(root / "a/b");
  watched.settle();
  test::write_file(root / "a/b/o.jsonc", "2");
  CHECK(watched.next() == changed);
}

TEST_CASE("a config is seen once the folders on its way are made, and so is the target of a dangling link") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_symlink("there/link", root / "etc");
  Watched watched(root / "etc/x/o.jsonc");
  watched.start();
  fs::create_directory(root / "there");
  watched.settle();
  fs::create_symlink(root / "real", root / "there/link");
  watched.settle();
  fs::create_directory(root / "real");
  watched.settle();
  fs::create_directory(root / "real/x");
  watched.settle();
  test::write_file(root / "real/x/o.jsonc", "1");
  CHECK(watched.next() == changed);
}

TEST_CASE("links that lead in a circle are no config, until one is replaced") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_symlink("b", root / "a");
  fs::create_symlink("a", root / "b");
  Watched watched(root / "a");
  watched.start();
  test::write_file(root / "fresh", "1");
  fs::rename(root / "fresh", root / "b");
  CHECK(watched.next() == changed);
}

TEST_CASE("other events in the folders on the way are not reported") {
  const test::Folder folder;
  const fs::path root = folder.path();
  fs::create_directory(root / "etc");
  test::write_file(root / "etc/o.jsonc", "1");
  Watched watched(root / "etc/o.jsonc");
  watched.start();
  test::write_file(root / "other", "1");
  test::write_file(root / "etc/other", "1");
  watched.settle(); // which throws away nothing, as `next` shows
  test::write_file(root / "etc/o.jsonc", "2");
  CHECK(watched.next() == changed);
}

TEST_CASE("plugins at the ends of links are watched in their own folders, and so is a folder that is a link") {
  const test::Folder folder;
  const fs::path root = folder.path();
  for (const char *name : {"store", "1", "2", "etc"}) fs::create_directory(root / name);
  test::write_file(root / "etc/o.jsonc", "1");
  test::write_file(root / "store/x-1", "1");
  test::write_file(root / "2/y.so", "1");
  fs::create_symlink("../store/x-1", root / "1/x.so");
  fs::create_symlink("1", root / "plugins");
  const std::string x = (root / "plugins/x.so").string(), y = (root / "plugins/y.so").string();
  Watched watched(root / "etc/o.jsonc", root / "plugins");
  watched.start();
  test::write_file(root / "store/x-1", "one");
  CHECK(watched.next() == x + " changed");
  switch_link(root / "plugins", "2");
  CHECK(watched.next() == y + " changed");
  watched.settle();
  test::write_file(root / "2/y.so", "two");
  CHECK(watched.next() == y + " changed");
}

TEST_CASE("a watch that cannot be set up says why, checks from time to time, and starts again on request") {
  const bool instances = GENERATE(true, false);
  std::atomic<int> &refused = instances ? refused_instances : refused_watches;
  refused = instances ? EMFILE : ENOSPC;
  const test::LogLines log(test::LogLines::info);
  const test::Folder folder;
  const std::string file = folder / "o.jsonc";
  test::write_file(file, "1");
  Watched watched(file);
  watched.start();
  CHECK(log.has_match(instances ? "looked at every 2 seconds, since no inotify instance is left: raise the sysctl "
                                  "fs.inotify.max_user_instances.*; `omnistore reload`"
                                : "looked at every 2 seconds, since no inotify watch is left: raise the sysctl "
                                  "fs.inotify.max_user_watches; `omnistore reload`"));
  test::write_file(file, "two");
  CHECK(watched.next() == changed);
  CHECK(log.lines().size() == 1);
  refused = 0;
  watched.refresh();
  watched.settle();
  CHECK(log.has_match("seen at once again"));
  test::write_file(file, "three");
  CHECK(watched.next() == changed);
}

TEST_CASE("a folder of plugins that cannot be read for the moment has the plugins that it had") {
  const test::Folder folder;
  const std::string config = folder / "c.jsonc", plugins = folder / "plugins";
  test::write_file(config, "{}");
  for (const char *name : {"a.so", "b.so"}) test::write_file(folder / "plugins/" + name, "v");
  const omnistore::service::WatchedPaths paths{config, {plugins}};
  const omnistore::service::FileStates before = omnistore::service::states_of(paths);
  REQUIRE(before.size() == 3);
  for (const int error : {EMFILE, ENFILE, EINTR, ENOMEM, EIO}) {
    for (unsigned n = 0; n < 20; ++n) {
      INFO("call " << n << " fails with errno " << error);
      unsigned seen = 0;
      omnistore::service::FileStates now;
      const bool tried = test::run_with_failures(
          {SYS_openat, SYS_newfstatat, SYS_fstat, SYS_getdents64},
          [&](const test::Made &) { return seen++ == n ? error : 0; },
          [&] { now = omnistore::service::states_of(paths, before); });
      if (!tried) return;
      CHECK(now == before);
      if (seen <= n) break;
    }
  }
  fs::remove_all(plugins);
  CHECK(omnistore::service::states_of(paths, before).at(plugins) == omnistore::service::FileState());
}
