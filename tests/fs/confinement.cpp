// SPDX-License-Identifier: Apache-2.0
// Nothing outside of base is read, written or listed, and only files are values.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {
/// A store, and a folder beside its base.
struct Beside {
  Folder folder;
  Host host;
  Store store{host, folder / "base"};
  Beside() { write_file(folder / "outside/secret", "secret"); }
  void link(const std::string &to, const std::string &name) const {
    std::filesystem::create_symlink(to, folder / ("base/" + name));
  }
  Keys outside() const {
    Keys names;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder / "outside")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
};
} // namespace

TEST_CASE("a symbolic link that leads out of base is refused, absolute or not") {
  Beside b;
  b.link(b.folder / "outside", "absolute");
  b.link("../outside", "relative");
  b.link(b.folder / "outside/secret", "file");
  for (const char *key : {"absolute:secret", "relative:secret", "file"}) {
    INFO(key);
    Got got;
    CHECK(b.store.get(key, got) == OMNISTORE_DENIED);
    CHECK(b.store.message().find("a symbolic link leads out of the base folder") != std::string::npos);
    CHECK(b.store.stat(key, got) == OMNISTORE_DENIED);
    CHECK(got.begun == 0);
  }
  CHECK(b.store.set("absolute:new", "x") == OMNISTORE_DENIED);
  CHECK(b.store.set("relative:new:deep", "x") == OMNISTORE_DENIED);
  CHECK(b.store.remove("absolute:secret") == OMNISTORE_DENIED);
  CHECK(b.store.touch("relative:secret", b.host.time + 1000) == OMNISTORE_DENIED);
  Page page;
  CHECK(b.store.page(page, "absolute:", 10, "") == OMNISTORE_DENIED);
  CHECK(b.store.list().empty());
  CHECK(b.store.clear() == OMNISTORE_OK);
  CHECK(b.outside() == Keys{"secret"});
}

TEST_CASE("a set over a link replaces the link, not its target") {
  Beside b;
  b.link(b.folder / "outside/secret", "k");
  b.link("nowhere", "dangling");
  CHECK(b.store.set("k", "mine") == OMNISTORE_OK);
  CHECK(b.store.set("dangling", "mine") == OMNISTORE_OK);
  CHECK(b.store.get("k") == "mine");
  CHECK(b.store.list() == Keys{"dangling", "k"});
  CHECK(read_file(b.folder / "outside/secret") == "secret");
}

TEST_CASE("a symbolic link that stays inside is followed") {
  Beside b;
  b.store.set("folder:file", "1");
  b.link("folder", "to-folder");
  b.link("folder/file", "to-file");
  std::filesystem::create_symlink("../folder/file", b.folder / "base/folder/up");
  CHECK(b.store.get("to-folder:file") == "1");
  CHECK(b.store.get("to-file") == "1");
  CHECK(b.store.get("folder:up") == "1");
  CHECK(b.store.set("to-folder:new", "2") == OMNISTORE_OK);
  CHECK(b.store.get("folder:new") == "2");
  // A folder is listed by its own name alone: links to folders could go round.
  CHECK(b.store.list() == Keys{"folder:file", "folder:new", "folder:up", "to-file"});
  CHECK(b.store.list("to-folder:") == Keys{"to-folder:file", "to-folder:new", "to-folder:up"});
  CHECK(b.store.remove("to-file") == OMNISTORE_OK);
  CHECK(b.store.get("folder:file") == "1");
}

TEST_CASE("links that go round end") {
  Beside b;
  b.link("loop", "loop");
  b.link(".", "self");
  b.store.set("k", "1");
  CHECK(b.store.list() == Keys{"k"});
  Got got;
  CHECK(b.store.get("loop", got) == OMNISTORE_DENIED);
}

TEST_CASE("a pipe, a socket and a device are no values, and nothing waits for them") {
  Beside b;
  REQUIRE(mkfifo((b.folder / "base/pipe").c_str(), 0666) == 0);
  sockaddr_un address{AF_UNIX, {}};
  const std::string path = b.folder / "base/socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(bind(socket, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
  close(socket);
  CHECK(b.store.list().empty());
  for (const char *key : {"pipe", "socket"}) {
    Got got;
    CHECK(b.store.get(key, got) == OMNISTORE_NOT_FOUND);
    CHECK(b.store.set(key, "x") == OMNISTORE_INVALID);
    CHECK(b.store.set(std::string(key) + ":below", "x") == OMNISTORE_INVALID);
    CHECK(b.store.message().find(key) == 0);
  }
}
