// SPDX-License-Identifier: Apache-2.0
// A store's watch does not report the store's own changes: the host reports them.
#include <sys/wait.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "watched.hpp"

using namespace test;

TEST_CASE("sets, touches, removals and clears of the store itself are not reported") {
  Watched f;
  Pieces source({"a", "b"});
  f.store.set("k", "v");
  f.store.set("k", "w");
  f.store.set("a:b:c", "v");
  f.store.set("a:b", "beside it");
  f.store.set("s", source);
  f.store.set("k$", "{}");
  f.store.touch("k", f.host.time + 1000);
  f.store.remove("s");
  f.store.remove("a:b:c");
  CHECK(f.told() == Keys{});
  f.store.clear();
  CHECK(f.told() == Keys{});
}

TEST_CASE("values that expire are not reported by the watch beside the host's event") {
  Watched f;
  for (int i = 0; i < 100; ++i) f.store.set("a:" + std::to_string(i), "v", {.expiry = f.host.time + 1000});
  f.store.set("met", "v", {.expiry = f.host.time + 5});
  f.host.time += 10;
  CHECK(f.store.get("met") == std::nullopt);
  f.host.run_for(60'000);
  CHECK(f.host.take_expired().size() == 101);
  CHECK(f.told() == Keys{});
}

TEST_CASE("a value that becomes a folder's own, as the store sets a key below it, is not reported") {
  Fixture f;
  write_file(f.file("theirs"), "v");
  f.store.set("ours", "v");
  Watch watch(f.store);
  f.store.set("theirs:below", "v");
  f.store.set("ours:below", "v");
  write_file(f.file("theirs/last"), "v");
  CHECK(watch.until("+theirs:last").empty());
  write_file(f.file("theirs/$"), "changed");
  write_file(f.file("ours/$"), "changed");
  write_file(f.file("last"), "v");
  Keys told = watch.until("+last"); // of two folders: in either order
  std::erase(told, "+theirs:last"); // reported once more if it was found before it was written to its end
  std::sort(told.begin(), told.end());
  CHECK(told == Keys{"+ours", "+theirs"});
}

TEST_CASE("a storm of the store's own writes from many threads is not reported") {
  Watched f;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string key = "s:" + std::to_string(i % 5);
        f.store.set(key, std::to_string(t));
        f.store.set(key + ":x:" + std::to_string(t), std::to_string(i));
        f.store.remove(i % 2 == 0 ? key : key + ":x:" + std::to_string(t));
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(f.told() == Keys{});
}

TEST_CASE("if the store and others change one key in turn, the others' changes are reported") {
  Watched f;
  for (int i = 0; i < 20; ++i) {
    f.store.set("k", "ours");
    CHECK(f.told() == Keys{});
    f.write("k", "them"); // in place, and of the same size
    CHECK(f.told() == Keys{"+k"});
    f.store.set("k", "ours");
    f.write("temporary", "them");
    f.told();
    f.move("temporary", "k");
    CHECK(f.told() == Keys{"-temporary", "+k"});
    f.store.remove("k");
    CHECK(f.told() == Keys{});
    f.write("k");
    CHECK(f.told() == Keys{"+k"});
    f.remove("k");
    CHECK(f.told() == Keys{"-k"});
    f.store.set("k", "ours");
    f.remove("k");
    CHECK(f.told() == Keys{"-k"});
  }
}

TEST_CASE("another store on the same folder is another program") {
  Watched f;
  Store other(f.host, f.folder.path().string());
  other.set("a:b", "v");
  CHECK(unique(f.told()) == Keys{"+a:b"});
  other.set("a:b", "w");
  CHECK(f.told() == Keys{"+a:b"});
  other.remove("a:b");
  CHECK(f.told() == Keys{"-a:b"});
}

TEST_CASE("if the system's limit is too low for a watch, it fails and names the right limit") {
  Fixture f;
  for (int i = 0; i < 20; ++i) f.store.set("f" + std::to_string(i) + ":x", "v");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    // The limit of a user namespace of its own holds for the child alone.
    const int limit = unshare(CLONE_NEWUSER) == 0 ? open("/proc/sys/user/max_inotify_watches", O_WRONLY) : -1;
    if (limit < 0 || write(limit, "10", 2) != 2) _exit(77);
    std::string text;
    {
      Watch whole(f.store);
      Watch one(f.store, "f1:");
      f.store.set("f2:y", "v");
      const bool right = whole.status == OMNISTORE_NO_SPACE && one.status == OMNISTORE_OK;
      text = (right ? "right: " : "wrong: ") + whole.call.message();
    }
    const bool sent = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  char text[1000] = "";
  const ssize_t size = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    WARN("no user namespace can be made here: the limit was not tried");
    return;
  }
  REQUIRE(WEXITSTATUS(status) == 0);
  REQUIRE(size > 0);
  CHECK_THAT(text, Catch::StartsWith("right: ") && Catch::Contains("fs.inotify.max_user_watches") &&
                       Catch::Contains("raise it"));
}
