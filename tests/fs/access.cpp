// SPDX-License-Identifier: Apache-2.0
// Access to values: a file that replaces another gives nobody more access than that one did.
#include <array>
#include <functional>

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

struct stat look_at(const std::string &path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}
mode_t mode_of(const std::string &path) { return look_at(path).st_mode & 07777; }

/// An ACL in the system's own form: entries of a tag, its permissions and an id.
std::string acl_of(std::initializer_list<std::array<std::uint32_t, 3>> entries) {
  std::string acl("\2\0\0\0", 4);
  for (const auto &[tag, permissions, id] : entries) {
    for (const std::uint32_t half : {tag, permissions, id & 0xffff, id >> 16}) {
      acl += static_cast<char>(half & 0xff);
      acl += static_cast<char>(half >> 8);
    }
  }
  return acl;
}
constexpr std::uint32_t user_obj = 1, user = 2, group_obj = 4, mask = 16, other = 32, no_id = 0xffffffff;

std::string acl_at(const std::string &path) {
  char text[1024];
  const ssize_t size = getxattr(path.c_str(), "system.posix_acl_access", text, sizeof text);
  return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

/// Returns the result of a child that acts as another user.
int as_user(uid_t id, const std::function<bool()> &is_right) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(id) != 0 || setuid(id) != 0) _exit(2);
    _exit(is_right() ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

bool is_root() {
  if (geteuid() == 0) return true;
  WARN("not tried: it takes root");
  return false;
}

} // namespace

TEST_CASE("a set keeps the mode of the file that it replaces, however it is done") {
  Fixture f;
  for (const mode_t mode : {0600u, 0640u, 0660u, 0604u, 0664u, 0644u, 0400u, 0777u}) {
    for (const char *path : {"a", "folder/b", "folder/$"}) {
      write_file(f.file(path), "old");
      REQUIRE(chmod(f.file(path).c_str(), mode) == 0);
    }
    Pieces pieces({"1", "2"});
    REQUIRE(f.store.set("a", pieces) == OMNISTORE_OK);
    REQUIRE(f.store.set("folder:b", "new", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
    REQUIRE(f.store.set("folder", "new", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
    CHECK(mode_of(f.file("a")) == mode);
    CHECK(mode_of(f.file("folder/b")) == mode);
    CHECK(mode_of(f.file("folder/$")) == (mode | S_ISVTX));
    REQUIRE(f.store.set("folder", "without an expiry") == OMNISTORE_OK);
    CHECK(mode_of(f.file("folder/$")) == mode);
  }
}

TEST_CASE("a value keeps its mode when its file becomes a folder, and when its expiry changes") {
  Fixture f;
  f.store.set("a", "1");
  REQUIRE(chmod(f.file("a").c_str(), 0600) == 0);
  f.store.touch("a", f.host.time + 1000);
  CHECK((mode_of(f.file("a")) & 0777) == 0600);
  f.store.set("a:b", "2");
  f.store.set("a", "3");
  CHECK(mode_of(f.file("a/$")) == 0600);
}

TEST_CASE("a file that replaces a link has the mode of the file that the link led to") {
  Fixture f;
  write_file(f.file("target"), "secret");
  REQUIRE(chmod(f.file("target").c_str(), 0600) == 0);
  std::filesystem::create_symlink("target", f.file("link"));
  REQUIRE(f.store.set("link", "another secret") == OMNISTORE_OK);
  CHECK(mode_of(f.file("link")) == 0600);
}

TEST_CASE("the bits set-uid and set-gid are not kept") {
  Fixture f;
  write_file(f.file("a"), "old");
  REQUIRE(chmod(f.file("a").c_str(), 06755) == 0);
  REQUIRE(f.store.set("a", "new") == OMNISTORE_OK);
  CHECK(mode_of(f.file("a")) == 0755);
}

TEST_CASE("a file that is written and replaces a secret one is secret from the start") {
  Fixture f;
  write_file(f.file("a"), "old");
  REQUIRE(chmod(f.file("a").c_str(), 0640) == 0);
  struct Looking : Pieces {
    const Fixture &f;
    mode_t mode = 0;
    explicit Looking(const Fixture &fixture) : Pieces({}), f(fixture) {
      read = [](omnistore_source *source, void *, std::uint64_t, std::uint64_t *count) {
        Looking &self = *static_cast<Looking *>(source);
        *count = 0;
        for (const std::string &name : self.f.names()) {
          if (name != "a") self.mode = mode_of(self.f.file(name));
        }
        return OMNISTORE_OK;
      };
    }
  } looking(f);
  REQUIRE(f.store.set("a", looking) == OMNISTORE_OK);
  CHECK(looking.mode == 0600);
  CHECK(mode_of(f.file("a")) == 0640);
}

TEST_CASE("a set keeps the ACL of the file that it replaces") {
  Fixture f;
  write_file(f.file("a"), "old");
  const std::string acl =
      acl_of({{user_obj, 6, no_id}, {user, 6, 1234}, {group_obj, 0, no_id}, {mask, 6, no_id}, {other, 0, no_id}});
  if (setxattr(f.file("a").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0) {
    WARN("not tried: the filesystem has no ACLs");
    return;
  }
  REQUIRE(f.store.set("a", "new") == OMNISTORE_OK);
  CHECK((acl_at(f.file("a")) == acl));
  CHECK(mode_of(f.file("a")) == 0660);
}

TEST_CASE("a folder's default ACL opens no file to more users than the one that is replaced was open to") {
  Fixture f;
  write_file(f.file("a"), "old");
  REQUIRE(chmod(f.file("a").c_str(), 0640) == 0);
  const std::string acl =
      acl_of({{user_obj, 7, no_id}, {user, 7, 1234}, {group_obj, 7, no_id}, {mask, 7, no_id}, {other, 7, no_id}});
  if (setxattr(f.folder.path().c_str(), "system.posix_acl_default", acl.data(), acl.size(), 0) != 0) {
    WARN("not tried: the filesystem has no ACLs");
    return;
  }
  REQUIRE(f.store.set("a", "new") == OMNISTORE_OK);
  CHECK(acl_at(f.file("a")).empty());
  CHECK(mode_of(f.file("a")) == 0640);
}

TEST_CASE("a set by root keeps the owner and group of the file that it replaces") {
  if (!is_root()) return;
  Fixture f;
  write_file(f.file("a"), "old");
  REQUIRE(chown(f.file("a").c_str(), 1234, 2345) == 0);
  REQUIRE(chmod(f.file("a").c_str(), 0640) == 0);
  REQUIRE(f.store.set("a", "new") == OMNISTORE_OK);
  CHECK(look_at(f.file("a")).st_uid == 1234);
  CHECK(look_at(f.file("a")).st_gid == 2345);
  CHECK(mode_of(f.file("a")) == 0640);
}

TEST_CASE("a set that may not keep the group gives nobody more access than before") {
  if (!is_root()) return;
  for (const auto &[before, after] :
       {std::pair<mode_t, mode_t>{0640, 0600}, {0664, 0644}, {0604, 0600}, {0644, 0644}}) {
    Fixture f;
    write_file(f.file("a"), "old");
    REQUIRE(chmod(f.folder.path().c_str(), 0777) == 0);
    REQUIRE(chown(f.file("a").c_str(), 1234, 2345) == 0);
    REQUIRE(chmod(f.file("a").c_str(), before) == 0);
    CHECK(as_user(3456, [&] { return f.store.set("a", "new") == OMNISTORE_OK; }) == 0);
    CHECK(look_at(f.file("a")).st_uid == 3456);
    CHECK(mode_of(f.file("a")) == after);
  }
}

TEST_CASE("a set that may not keep the group does not keep the ACL either") {
  if (!is_root()) return;
  Fixture f;
  write_file(f.file("a"), "old");
  const std::string acl =
      acl_of({{user_obj, 6, no_id}, {user, 6, 1234}, {group_obj, 0, no_id}, {mask, 6, no_id}, {other, 0, no_id}});
  if (setxattr(f.file("a").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0) return;
  REQUIRE(chmod(f.folder.path().c_str(), 0777) == 0);
  REQUIRE(chown(f.file("a").c_str(), 1234, 2345) == 0);
  CHECK(as_user(3456, [&] { return f.store.set("a", "new") == OMNISTORE_OK; }) == 0);
  CHECK(acl_at(f.file("a")).empty());
  CHECK(mode_of(f.file("a")) == 0600);
}

namespace {

/// While it lives, the process's umask is another.
struct Umask {
  const mode_t before;
  explicit Umask(mode_t bits) : before(::umask(bits)) {}
  Umask(const Umask &) = delete;
  Umask &operator=(const Umask &) = delete;
  ~Umask() { ::umask(before); }
};

} // namespace

TEST_CASE("new values, their user meta and folders are the owner's alone, whatever the umask allows") {
  const Umask open_to_all(0);
  Folder folder;
  Host host;
  Store store(host, folder / "above/base");
  REQUIRE(store.set("a", "1", {.user = "u"}) == OMNISTORE_OK);
  REQUIRE(store.set("b:c", "2", {.expiry = host.time + 1000}) == OMNISTORE_OK);
  REQUIRE(store.set("a:d", "3") == OMNISTORE_OK); // makes the file of a a folder
  for (const char *path : {"a/$", "a$", "a/d"})
    CHECK((mode_of(folder / (std::string("above/base/") + path)) & 0777) == 0600);
  CHECK(mode_of(folder / "above/base/b/c") == (0600 | S_ISVTX));
  for (const char *path : {"above", "above/base", "above/base/a", "above/base/b"})
    CHECK(mode_of(folder / path) == 0700);
}

TEST_CASE("the options mode and folderMode set the permissions of values and folders, whatever the umask") {
  const Umask closed(077);
  Folder folder;
  Host host;
  Store store(host, folder / "base", R"(, "mode": "0640", "folderMode": "750")");
  REQUIRE(store.set("a", "1", {.user = "u"}) == OMNISTORE_OK);
  REQUIRE(store.set("b:c", "2", {.expiry = host.time + 1000}) == OMNISTORE_OK);
  REQUIRE(store.set("a:d", "3") == OMNISTORE_OK);
  for (const char *path : {"a/$", "a$", "a/d"}) CHECK((mode_of(folder / (std::string("base/") + path)) & 0777) == 0640);
  CHECK(mode_of(folder / "base/b/c") == (0640 | S_ISVTX));
  for (const char *path : {"base", "base/a", "base/b"}) CHECK(mode_of(folder / path) == 0750);
  REQUIRE(store.set("a", "4", {.user = "w"}) == OMNISTORE_OK);
  CHECK(mode_of(folder / "base/a$") == 0640);
}

TEST_CASE("a temporary file is never open to more users than the value will be") {
  const Umask open_to_all(0);
  Fixture f;
  mode_t seen = 0;
  struct Looking : Pieces {
    std::function<void()> look;
    explicit Looking(std::function<void()> what) : Pieces({}), look(std::move(what)) {
      read = [](omnistore_source *source, void *, std::uint64_t, std::uint64_t *count) {
        *count = 0;
        static_cast<Looking *>(source)->look();
        return OMNISTORE_OK;
      };
    }
  } looking([&] { seen = mode_of(f.file(f.names().front())); });
  REQUIRE(f.store.set("a", looking) == OMNISTORE_OK);
  CHECK(seen == 0600);
}

TEST_CASE("a new folder keeps the set-group-id bit of the folder above it") {
  Folder folder;
  REQUIRE(chmod(folder.path().c_str(), 02770) == 0);
  Host host;
  Store store(host, folder.path().string(), R"(, "folderMode": "0770")");
  store.set("a:b", "1");
  CHECK(mode_of(folder / "a") == 02770);
}

TEST_CASE("a malformed mode, or one that locks the store out, is refused") {
  Folder folder;
  Host host;
  for (const char *options : {R"(, "mode": "rw")", R"(, "mode": "0888")", R"(, "mode": "01777")", R"(, "mode": "0200")",
                              R"(, "folderMode": "0600")", R"(, "mode": "")", R"(, "mode": "-1")"}) {
    INFO(options);
    CHECK_THROWS_AS(Store(host, folder.path().string(), options), omnistore::testing::StatusError);
  }
}
