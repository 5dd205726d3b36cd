// SPDX-License-Identifier: Apache-2.0
// A watch's reports of files that other programs change.
#include <cstdlib>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watched.hpp"

using namespace test;

namespace {

void run(const std::string &command) { REQUIRE(std::system(command.c_str()) == 0); }

} // namespace

TEST_CASE("files that are made, overwritten, replaced, linked and removed are reported, each once") {
  Watched f;
  f.write("a");
  CHECK(f.told() == Keys{"+a"});
  f.write("a", "more");
  CHECK(f.told() == Keys{"+a"});
  f.write("b");
  CHECK(f.told() == Keys{"+b"});
  f.move("b", "a");
  CHECK(f.told() == Keys{"-b", "+a"});
  std::filesystem::create_hard_link(f.file("a"), f.file("c"));
  CHECK(f.told() == Keys{"+c"});
  REQUIRE(truncate(f.file("c").c_str(), 1) == 0);
  CHECK(f.watch.wait_for("+c"));
  f.told();
  f.remove("c");
  CHECK(f.told() == Keys{"-c"});
}

TEST_CASE("an empty file that another program makes is reported") {
  Watched f;
  f.write("empty", "");
  CHECK(f.told() == Keys{"+empty"});
}

TEST_CASE("files that another process writes into folders that it has just made are reported") {
  Watched f;
  run("mkdir -p '" + f.file("a/b/c/d") + "' && echo 1 > '" + f.file("a/b/c/d/e") + "' && echo 2 > '" + f.file("a/f") +
      "'");
  CHECK(unique(f.told()) == Keys{"+a:b:c:d:e", "+a:f"});
}

TEST_CASE("a thousand folders with a file each are reported") {
  Watched f;
  for (int i = 0; i < 1000; ++i) {
    const std::string folder = "d" + std::to_string(i);
    std::filesystem::create_directories(f.file(folder + "/x/y"));
    f.write(folder + "/x/y/file");
  }
  Keys expected;
  for (int i = 0; i < 1000; ++i) expected.push_back("+d" + std::to_string(i) + ":x:y:file");
  const Keys told = f.told();
  CHECK((unique(told) == sorted(expected)));
  WARN(told.size() - 1000 << " of 1000 were told while they were written, and after it");
}

TEST_CASE("a folder that is renamed is a removal of each old key and an update of each new one") {
  Watched f;
  for (const char *path : {"old/1", "old/2", "old/deep/3", "old/deep/$", "old/$"}) f.write(path);
  f.told();
  f.move("old", "new");
  CHECK(sorted(f.told()) == Keys{"+new", "+new:1", "+new:2", "+new:deep", "+new:deep:3", "-old", "-old:1", "-old:2",
                                 "-old:deep", "-old:deep:3"});
  f.write("new/deep/3", "again");
  CHECK(f.told() == Keys{"+new:deep:3"});
  std::filesystem::create_directory(f.file("other"));
  f.move("new/deep", "other/deep");
  CHECK(sorted(f.told()) == Keys{"+other:deep", "+other:deep:3", "-new:deep", "-new:deep:3"});
  f.remove("other");
  CHECK(sorted(f.told()) == Keys{"-other:deep", "-other:deep:3"});
}

TEST_CASE("keys that went while their folder was renamed are removals under both names") {
  Watched f;
  for (const char *path : {"old/1", "old/deep/2"}) f.write(path);
  f.told();
  f.hold();
  f.move("old", "new");
  f.remove("new/1");
  f.remove("new/deep");
  f.watch.let_go();
  Keys told = f.told();
  for (const char *text : {"-old:1", "-old:deep:2", "-new:1", "-new:deep:2"}) {
    INFO(text);
    CHECK(std::count(told.begin(), told.end(), text) == 1);
  }
}

TEST_CASE("keys of a folder that is renamed twice in a row are removals under both old names") {
  Watched f;
  for (const char *path : {"c/$", "c/1", "c/2", "c/3", "c/deep/4", "a/5"}) f.write(path);
  std::filesystem::create_symlink("1", f.file("c/link"));
  std::filesystem::create_symlink("nowhere", f.file("c/dangling"));
  REQUIRE(mkfifo(f.file("c/pipe").c_str(), 0600) == 0);
  f.told();
  f.watch.hold();
  f.move("c", "a/c");
  REQUIRE(f.watch.wait_held()); // the folder is just being scanned
  f.move("a", "c");             // and there is another folder at its first place
  f.watch.let_go();
  const Keys told = f.told();
  std::map<std::string, char> last;
  for (const std::string &text : told) last[text.substr(1)] = text[0];
  for (const char *key : {"c", "c:1", "c:2", "c:3", "c:deep:4", "c:link", "a:5"}) {
    INFO(key);
    CHECK(last[key] == '-');
  }
  for (const char *key : {"c:c", "c:c:1", "c:c:2", "c:c:3", "c:c:deep:4", "c:c:link", "c:5"}) {
    INFO(key);
    CHECK(last[key] == '+');
  }
  for (const char *name : {"c:dangling", "c:pipe", "c:c:dangling", "c:c:pipe"}) CHECK(!last.contains(name));
}

TEST_CASE("a folder that is renamed is no removal of names that were no keys") {
  Watched f;
  for (const char *path : {"old/1", "old/deep/2", "old/node_modules/3", "old/.1.omnistore-tmp$"}) f.write(path);
  std::filesystem::create_directories(f.file("old/empty/more"));
  REQUIRE(mkfifo(f.file("old/pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("nowhere", f.file("old/dangling"));
  std::filesystem::create_symlink("1", f.file("old/link"));
  std::filesystem::create_symlink("/etc/passwd", f.file("old/outside"));
  f.told();
  f.move("old", "new");
  CHECK(sorted(f.told()) == Keys{"+new:1", "+new:deep:2", "+new:link", "-old:1", "-old:deep:2", "-old:link"});
  f.remove("new/empty");
  f.remove("new/deep");
  CHECK(f.told() == Keys{"-new:deep:2"});
}

TEST_CASE("a folder that is moved in is reported, and one that is moved out makes a resync") {
  Watched f;
  Folder outside;
  write_file(outside / "in/1", "v");
  write_file(outside / "in/deep/2", "v");
  std::filesystem::rename(outside / "in", f.file("here"));
  CHECK(f.told() == Keys{"+here:1", "+here:deep:2"});
  std::filesystem::rename(f.file("here"), outside / "out");
  CHECK(f.told() == Keys{"resync"});
  write_file(outside / "out/deep/3", "v");
  f.write("here/4");
  CHECK(unique(f.told()) == Keys{"+here:4"});
}

TEST_CASE("folders that change places are a resync or reported key by key, and stay watched") {
  Watched f;
  for (const char *path : {"a/1", "b/2"}) f.write(path);
  f.told();
  REQUIRE(renameat2(AT_FDCWD, f.file("a").c_str(), AT_FDCWD, f.file("b").c_str(), RENAME_EXCHANGE) == 0);
  const Keys told = f.told();
  if (std::find(told.begin(), told.end(), "resync") == told.end()) {
    CHECK(sorted(told) == Keys{"+a:2", "+b:1", "-a:1", "-b:2"});
  }
  f.write("a/2", "again");
  f.write("b/1", "again");
  CHECK(f.told() == Keys{"+a:2", "+b:1"});
}

TEST_CASE("a folder that is removed and made again is watched") {
  Watched f;
  for (int i = 0; i < 200; ++i) {
    f.write("a/b/c");
    f.remove("a");
  }
  f.write("a/b/last");
  CHECK(f.watch.wait_for("+a:b:last"));
  f.write("a/b/c");
  CHECK(f.told().back() == "+a:b:c");
}

TEST_CASE("ten thousand files in one folder, then in a thousand folders, are all reported, or a resync is") {
  Watched f;
  std::set<std::string> missing;
  for (int i = 0; i < 20000; ++i) {
    const std::string path = i < 10000 ? "f" + std::to_string(i) : std::to_string(i % 1000) + "/" + std::to_string(i);
    f.write(path, "");
    missing.insert("+" + path);
  }
  bool resync = false;
  for (std::string text : f.told()) {
    std::replace(text.begin(), text.end(), ':', '/');
    missing.erase(text);
    resync = resync || text == "resync";
  }
  CHECK((resync || missing.empty()));
  if (resync) WARN("the system's queue was too short: " << missing.size() << " of 20000 were not told one by one");
}

TEST_CASE("after the system's queue was full a resync comes, and folders made meanwhile are watched") {
  Watched f;
  f.write("gone/1");
  f.told();
  f.hold();
  int most = 16384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  for (int i = 0; i <= most; i += 2) f.write(i % 4 == 0 ? "x" : "y", std::to_string(i)); // not the same twice in a row
  f.remove("gone");
  f.write("made/deep/1");
  f.watch.let_go();
  CHECK(f.watch.wait_for("resync"));
  f.write("made/deep/2");
  const Keys told = f.told();
  CHECK(std::count(told.begin(), told.end(), "+made:deep:2") == 1);
}

TEST_CASE("a file that another program keeps open is reported, too") {
  Watched f;
  const int file = open(f.file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  REQUIRE(file >= 0);
  REQUIRE(write(file, "1", 1) == 1);
  CHECK(f.watch.until("+log").empty());
  REQUIRE(write(file, "2", 1) == 1);
  CHECK(f.watch.until("+log").empty());
  close(file);
}

TEST_CASE("a watch of a base gets the keys under it alone") {
  // A file that is met while it is written is reported again when it is closed.
  const auto all_begin = [](const Keys &told, const std::string &with) {
    return std::all_of(told.begin(), told.end(), [&](const std::string &each) { return each.starts_with(with); });
  };
  Fixture f;
  Watch both(f.store), one(f.store, "a:b:"), other(f.store, "a:c:");
  for (const char *path : {"a/b/1", "a/c/2", "a/d/3", "a/bc", "a/b/$", "4"}) write_file(f.file(path), "v");
  write_file(f.file("a/b/last"), "v");
  write_file(f.file("a/c/last"), "v");
  CHECK(unique(one.until("+a:b:last")) == Keys{"+a:b:1"});
  CHECK(unique(other.until("+a:c:last")) == Keys{"+a:c:2"});
  write_file(f.file("last"), "v");
  CHECK(unique(both.until("+last")) ==
        Keys{"+4", "+a:b", "+a:b:1", "+a:b:last", "+a:bc", "+a:c:2", "+a:c:last", "+a:d:3"});
  one.end();
  write_file(f.file("a/b/5"), "v");
  write_file(f.file("a/c/5"), "v");
  CHECK(all_begin(both.until("+a:b:5"), "+"));
  CHECK(all_begin(other.until("+a:c:5"), "+a:c:"));
  both.end();
  write_file(f.file("a/d/6"), "v");
  write_file(f.file("a/c/6"), "v");
  CHECK(all_begin(other.until("+a:c:6"), "+a:c:"));
  Watch again(f.store, "a:d:");
  write_file(f.file("a/d/7"), "v");
  CHECK(again.until("+a:d:7").empty());
}

TEST_CASE("a base that does not exist yet is watched when it appears, however it does") {
  Fixture f;
  Folder outside;
  Watch watch(f.store, "a:b:");
  write_file(f.file("a/x"), "v");
  write_file(f.file("a/b/1"), "v");
  CHECK(watch.until("+a:b:1").empty());
  std::filesystem::remove_all(f.file("a"));
  for (const std::string &text : watch.until("-a:b:1")) CHECK(text == "+a:b:1");
  write_file(outside / "a/b/c/2", "v");
  std::filesystem::rename(outside / "a", f.file("a"));
  CHECK(watch.until("+a:b:c:2").empty());
  std::filesystem::rename(f.file("a"), f.file("z"));
  CHECK(watch.until("resync").empty());
  write_file(f.file("z/b/c/3"), "v");
  std::filesystem::create_directory(f.file("a"));
  std::filesystem::rename(f.file("z/b"), f.file("a/b"));
  CHECK(sorted({watch.until("+a:b:c:3")}) == Keys{"+a:b:c:2"});
  write_file(f.file("a/b/c/4"), "v");
  CHECK(watch.until("+a:b:c:4").empty());
}

TEST_CASE("a base folder that is removed and made again is a resync, and is watched") {
  Folder folder;
  const std::string base = folder / "above/base";
  Host host;
  Store store(host, base);
  Watch watch(store);
  write_file(base + "/1", "v");
  CHECK(watch.wait_for("+1"));
  std::filesystem::remove_all(base);
  CHECK(watch.until("-1") == Keys{"+1"});
  write_file(base + "/2", "v");
  CHECK(watch.until("resync").empty());
  write_file(base + "/3", "v");
  watch.until("+3");
  // The folder above it goes, too; then a write of the store's own makes it.
  std::filesystem::remove_all(folder / "above");
  CHECK(watch.wait_for("-3"));
  REQUIRE(store.set("4", "v") == OMNISTORE_OK);
  watch.until("resync");
  write_file(base + "/5", "v");
  CHECK(watch.until("+5").empty());
  std::filesystem::remove_all(folder / "above");
  CHECK(watch.wait_for("-4"));
  write_file(base + "/6", "v");
  watch.until("resync");
  write_file(base + "/7", "v");
  watch.until("+7");
}

TEST_CASE("names that are no keys, unfinished writes and ignored names are not reported") {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), R"(, "ignore": ["**/node_modules/**", "*.log"])");
  Watch watch(store);
  for (const char *path : {"$", "a:b", "bad?", "x.log", "node_modules/y", "a/node_modules/y", ".1.omnistore-tmp$",
                           "d/.2.omnistore-tmp$", "d/$/x", ".3.omnistore-tmp$/$"}) {
    write_file(folder / path, "v");
  }
  std::filesystem::create_directories(folder / "sockets");
  REQUIRE(mkfifo((folder / "sockets/fifo").c_str(), 0600) == 0);
  write_file(folder / "k$", "{}");
  CHECK(watch.until("+k$").empty());
  std::filesystem::rename(folder / "node_modules", folder / "d/modules");
  CHECK(watch.until("+d:modules:y").empty());
}

TEST_CASE("symbolic links are not followed out of base, and those to files are values") {
  Watched f;
  Folder outside;
  write_file(outside / "secret/x", "v");
  std::filesystem::create_symlink(outside / "secret", f.file("out"));
  std::filesystem::create_symlink(outside / "secret/x", f.file("x"));
  f.write("real/y");
  std::filesystem::create_symlink("real", f.file("folder"));
  std::filesystem::create_symlink("real/y", f.file("y"));
  write_file(outside / "secret/x", "more");
  f.write("real/z");
  CHECK(unique(f.told()) == Keys{"+real:y", "+real:z", "+y"});
}

TEST_CASE("when the last watch has ended no thread and no notification of the system is left") {
  const auto entries = [](const char *folder) {
    return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
  };
  Fixture f;
  {
    Watch first(f.store); // what stays for the store is made now
  }
  const auto threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
  {
    Watch one(f.store), other(f.store, "a:");
    CHECK(entries("/proc/self/task") == threads + 1);
  }
  CHECK(entries("/proc/self/fd") == files);
  // The kernel takes a joined thread off its list a moment after it was joined.
  for (int i = 0; i < 1000 && entries("/proc/self/task") != threads; ++i) sched_yield();
  CHECK(entries("/proc/self/task") == threads);
}

TEST_CASE("a watch that is ended in the middle of a storm returns, and nothing comes after") {
  Fixture f;
  std::atomic<bool> stop{false};
  std::vector<std::thread> storm;
  for (int t = 0; t < 3; ++t) {
    storm.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string folder = f.file(std::to_string(t) + "/" + std::to_string(i % 7));
        write_file(folder + "/" + std::to_string(i % 50), "v");
        if (i % 50 == 0) std::filesystem::remove_all(folder);
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    Watch watch(f.store, i % 2 == 0 ? "" : "1:3:");
    REQUIRE(watch.status == OMNISTORE_OK);
    watch.wait([](const Keys &told) { return !told.empty(); });
    watch.end();
    const std::size_t count = watch.count();
    Watch other(f.store); // for as long as its reports take
    other.wait([](const Keys &told) { return told.size() > 10; });
    CHECK(watch.count() == count);
  }
  stop = true;
  for (std::thread &thread : storm) thread.join();
}
