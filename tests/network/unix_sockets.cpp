// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/descriptor.hpp"
#include "server/host.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using test::Client;

namespace {

struct UnixSetting {
  UnixSetting() { config.http.listen = "unix:" + path; }

  const test::Folder folder;
  const std::string path = folder / "data.sock";
  Config config = test::memory_config();
};

/// A unix socket with a file, which listens.
base::Descriptor listen_at(const std::string &path) {
  base::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.number(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket.number(), 16) == 0);
  return socket;
}

} // namespace

TEST_CASE("a listener serves on a unix socket, whose file ends with it") {
  const UnixSetting setting;
  {
    const test::Host host(setting.config);
    CHECK(host.server.http_url() == "unix:" + setting.path);
    Client client(host.http());
    CHECK(client.ask("PUT", "/k", "v").status == 200);
    CHECK(client.ask("GET", "/k").body == "v");
    Client other(host.http());
    other.send(test::request("GET", "/", {}, "Accept: text/event-stream\r\n"));
    CHECK(other.head().status == 200);
    CHECK(client.ask("PUT", "/k", "w").status == 200);
    CHECK_THAT(other.chunk() + other.chunk(), Contains("update") || Contains(":"));
  }
  CHECK_FALSE(std::filesystem::exists(setting.path));
}

TEST_CASE("a unix socket's file has the mode of the config") {
  UnixSetting setting;
  setting.config.http.socket_mode = GENERATE(0600u, 0660u);
  const test::Host host(setting.config);
  struct stat made {};
  REQUIRE(::stat(setting.path.c_str(), &made) == 0);
  CHECK((made.st_mode & 07777) == setting.config.http.socket_mode);
}

TEST_CASE("a unix socket that a killed process left behind is replaced") {
  const UnixSetting setting;
  { const base::Descriptor left = listen_at(setting.path); }
  REQUIRE(std::filesystem::exists(setting.path));
  const test::Host host(setting.config);
  CHECK(Client(host.http()).ask("GET", "/k").status == 404);
}

TEST_CASE("a host leaves the file alone that another process has put in the place of its own") {
  const UnixSetting setting;
  {
    const test::Host host(setting.config);
    std::filesystem::remove(setting.path);
    test::write_file(setting.path, "another's");
  }
  CHECK(std::filesystem::exists(setting.path));
}

TEST_CASE("a unix socket at which another process listens is left alone") {
  const UnixSetting setting;
  const base::Descriptor other = listen_at(setting.path);
  CHECK_THROWS_WITH(test::Host(setting.config), Contains(setting.path + ": Address already in use"));
  CHECK(std::filesystem::exists(setting.path));
}

TEST_CASE("a file that is no socket is left alone") {
  const UnixSetting setting;
  test::write_file(setting.path, "precious");
  CHECK_THROWS_WITH(test::Host(setting.config), Contains(setting.path));
  CHECK(test::read_file(setting.path) == "precious");
}

TEST_CASE("the admin listener knows the user at the other end of a unix socket") {
  UnixSetting setting;
  setting.config.admin.listen = "unix:" + setting.folder / "admin.sock";
  const test::Host host(setting.config);
  Client client(host.admin());
  CHECK(client.ask("GET", "/config").status == 200);
  CHECK(host.reloader.config().admin.any_user == false);
}

TEST_CASE("a unix socket with TLS is refused") {
  UnixSetting setting;
  setting.config.http.tls.certificate = "/nowhere/host.pem";
  CHECK_THROWS_WITH(test::Host(setting.config), Contains("server.http.tls: a unix socket has no TLS"));
}

TEST_CASE("a unix socket that another process opened is served on") {
  UnixSetting setting;
  setting.config.http.listen = "127.0.0.1:0";
  const test::Folder folder;
  const std::string path = folder / "passed.sock";
  base::Descriptor passed = listen_at(path);
  Storage storage(setting.config);
  service::Reloader reloader(storage, setting.config);
  {
    service::Server server(reloader, {.http = ::dup(passed.number())});
    server.start();
    CHECK(server.http_url() == "unix:" + path);
    CHECK(Client("unix:" + path).ask("GET", "/k").status == 404);
  }
  CHECK(std::filesystem::exists(path)); // it belongs to the other one
}
