// SPDX-License-Identifier: Apache-2.0
// A host under a service manager: notifications, watchdog, sockets that it passes, and the host as a container's first
// process. The test takes the manager's part.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <sstream>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "program.hpp"
#include "server/client.hpp"

using test::Result;
using test::says;

namespace {

/// The manager's end of the notifications.
class Manager {
public:
  explicit Manager(const std::string &name = {}) {
    const std::string path = name.empty() ? folder_ / "notify" : name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
    if (::bind(socket_, reinterpret_cast<const sockaddr *>(&address), size) != 0) throw std::runtime_error("bind");
    setting.variables["NOTIFY_SOCKET"] = path;
  }
  ~Manager() { ::close(socket_); }
  Manager(const Manager &) = delete;
  Manager &operator=(const Manager &) = delete;

  /// Returns the next notification.
  std::string next() const {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 60'000) != 1) throw std::runtime_error("no notification");
    char text[4096];
    const ssize_t got = ::recv(socket_, text, sizeof text, 0);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(0, got))};
  }

  test::Setting setting;

private:
  test::Folder folder_;
  int socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

/// A socket that listens on a free port, and that child processes inherit.
struct Socket {
  int descriptor;
  std::string address;

  Socket() {
    const int low = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    descriptor = ::fcntl(low, F_DUPFD, 20); // out of the way of the numbers that the host gets
    ::close(low);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    if (::bind(descriptor, reinterpret_cast<const sockaddr *>(&name), size) != 0 || ::listen(descriptor, 16) != 0 ||
        ::getsockname(descriptor, reinterpret_cast<sockaddr *>(&name), &size) != 0)
      throw std::runtime_error("listen");
    address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  }
  ~Socket() { ::close(descriptor); }
  Socket(const Socket &) = delete;
  Socket &operator=(const Socket &) = delete;
};

/// A host that gets two sockets as its descriptors 3 and 4 under these names.
class Activated {
public:
  explicit Activated(const std::string &names, const std::string &config)
      : process_({"bash", "-c", R"(LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=$3 exec "${@:4}" 3<&"$1" 4<&"$2")", "bash",
                  std::to_string(first.descriptor), std::to_string(second.descriptor), names, test::program(), "-c",
                  config, "--json", "serve"},
                 {}) {
    const boost::json::value said = boost::json::parse(process_.line());
    http = said.at("http").as_string();
    admin = said.at("admin").as_string();
  }
  test::Process &process() { return process_; }

  Socket first, second;
  std::string http, admin;

private:
  test::Process process_;
};

pid_t only_child(pid_t parent, const std::string &name) {
  const std::string who = std::to_string(parent);
  std::istringstream children(test::read_file("/proc/" + who + "/task/" + who + "/children"));
  for (pid_t child = 0; children >> child;)
    if (test::read_file("/proc/" + std::to_string(child) + "/comm") == name + "\n") return child;
  throw std::runtime_error(who + " has no child " + name);
}

} // namespace

TEST_CASE("A host notifies its manager when its stores are open, and when it stops") {
  const bool abstract = GENERATE(false, true);
  const Manager manager(abstract ? "@omnistore-test-" + std::to_string(::getpid()) : "");
  const test::Place place;
  test::Host host(place.config(), manager.setting);
  CHECK(manager.next() == "READY=1\nSTATUS=serving " + place.config());
  // Its own children, such as the probe of a plugin, do not speak for it.
  CHECK(host.stop().code == 0);
  CHECK(says(manager.next(), "STOPPING=1\n"));
}

TEST_CASE("A host that does not come to serve is never ready") {
  const Manager manager;
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc", R"({ "mounts": { "": { "driver": "none" } } })");
  CHECK(test::omnistore({"-c", folder / "omnistore.jsonc", "serve"}, manager.setting).code == 2);
  const test::Place place;
  test::Host host(place.config(), manager.setting); // its notification is the first
  CHECK(says(manager.next(), place.config()));
  CHECK(host.stop().code == 0);
}

TEST_CASE("A host notifies its manager of a reload and of its end, also if the reload fails") {
  const Manager manager;
  const test::Place place;
  test::Host host(place.config(), manager.setting);
  manager.next();
  const bool fails = GENERATE(false, true);
  if (fails) test::write_file(place.config(), "{ nothing");
  ::kill(host.process().pid(), SIGHUP);
  const std::string reloading = manager.next();
  CHECK(says(reloading, "RELOADING=1\nMONOTONIC_USEC="));
  CHECK(says(manager.next(), "READY=1\n"));
  CHECK(host.stop().code == 0);
}

TEST_CASE("A host keeps its watchdog quiet while it responds") {
  Manager manager;
  manager.setting.variables["WATCHDOG_USEC"] = "100000";
  const test::Place place;
  test::Host host(place.config(), manager.setting);
  manager.next();
  for (int i = 0; i < 3; ++i) CHECK(manager.next() == "WATCHDOG=1");
  CHECK(host.stop().code == 0);
}

TEST_CASE("A watchdog of another process gets no notification") {
  Manager manager;
  manager.setting.variables["WATCHDOG_USEC"] = "1000";
  manager.setting.variables["WATCHDOG_PID"] = "1";
  const test::Place place;
  test::Host host(place.config(), manager.setting);
  manager.next();
  CHECK(host.stop().code == 0);
  CHECK(says(manager.next(), "STOPPING=1"));
}

TEST_CASE("A host serves on the sockets that its manager passes, by their names or in their order") {
  const test::Place place;
  const std::string names = GENERATE("http:admin", "admin:http", "omnistore.socket:omnistore.socket", "");
  INFO(names);
  Activated host(names, place.config());
  const bool swapped = names == "admin:http";
  CHECK(host.http == "http://" + (swapped ? host.second : host.first).address);
  CHECK(host.admin == "http://" + (swapped ? host.first : host.second).address);
  CHECK(test::omnistore({"--url", host.http, "set", "k", "v"}).code == 0);
  CHECK(test::Client(host.admin.substr(7)).ask("GET", "/health").status == 200);
  ::kill(host.process().pid(), SIGTERM);
  CHECK(host.process().finish().code == 0);
}

TEST_CASE("A host serves on passed sockets although its config names no address") {
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc", R"({ "mounts": { "": { "driver": "memory" } } })");
  Activated host("http:admin", folder / "omnistore.jsonc");
  CHECK(host.http == "http://" + host.first.address);
  CHECK(host.admin == "http://" + host.second.address);
  CHECK(test::Client(host.admin.substr(7)).ask("GET", "/health").status == 200);
  ::kill(host.process().pid(), SIGTERM);
  CHECK(host.process().finish().code == 0);
}

TEST_CASE("A host refuses a passed socket that does not listen") {
  const test::Place place;
  const Result result = test::run_command({"bash", "-c", R"(exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@")",
                                           "bash", test::program(), "-c", place.config(), "serve"});
  INFO(result.err);
  CHECK(result.code == 2);
  CHECK(says(result.err, "server.http.listen: the socket that was passed to this process is no TCP or unix socket"));
}

TEST_CASE("Sockets that were passed to another process are left alone") {
  const test::Place place;
  test::Host host(place.config(), {.variables = {{"LISTEN_PID", "1"}, {"LISTEN_FDS", "2"}}});
  CHECK(host.stop().code == 0);
}

namespace {

/// Returns the words that run a program as the first process of a container; none if this machine allows no PID
/// namespaces.
test::Strings container_command() {
  // Without root a container needs a user namespace.
  test::Strings command{"unshare", "--pid", "--fork", "--mount-proc"};
  if (::geteuid() != 0) command.insert(command.begin() + 1, {"--user", "--map-root-user"});
  test::Strings probe = command;
  probe.emplace_back("true");
  if (test::run_command(probe).code == 0) return command;
  WARN("this machine allows no PID namespaces, so the host as a first process is not tested");
  return {};
}

} // namespace

TEST_CASE("As the first process of a container the host stops at a signal and reaps orphans") {
  test::Strings command = container_command();
  if (command.empty()) return;
  const test::Place place;
  const std::string script = "sleep 1000 >/dev/null 2>&1 & exec \"$@\"";
  for (const std::string &word : {std::string("bash"), std::string("-c"), script, std::string("bash"), test::program(),
                                  std::string("-c"), place.config(), std::string("--json"), std::string("serve")})
    command.push_back(word);
  test::Process container(command, {});
  const boost::json::value said = boost::json::parse(container.line());
  CHECK(test::omnistore({"--url", said.at("http").as_string().c_str(), "set", "k", "v"}).code == 0);

  const pid_t first = only_child(container.pid(), "omnistore"), orphan = only_child(first, "sleep");
  REQUIRE(::kill(orphan, SIGKILL) == 0);
  for (int tries = 0; ::kill(orphan, 0) == 0; ++tries) { // it is there until it is reaped
    REQUIRE(tries < 10'000'000);
    std::this_thread::yield();
  }
  ::kill(first, SIGTERM);
  const Result stopped = container.finish();
  INFO(stopped.err);
  CHECK(stopped.code == 0);
  CHECK(says(stopped.err, "SIGTERM: finishing what is in flight"));
}

TEST_CASE("As the first process of a container it ends with the host, even if its parent ignored SIGCHLD") {
  test::Strings command = container_command();
  if (command.empty()) return;
  const test::Place place;
  for (const std::string &word : {std::string("env"), std::string("--ignore-signal=CHLD"), test::program(),
                                  std::string("-c"), place.config(), std::string("--json"), std::string("serve")})
    command.push_back(word);
  test::Process container(command, {});
  container.line(); // it serves
  const pid_t first = only_child(container.pid(), "omnistore"), host = only_child(first, "omnistore");
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, first, 0));
  REQUIRE(handle >= 0);
  ::kill(host, SIGTERM);
  pollfd ended{handle, POLLIN, 0};
  const bool has_ended = ::poll(&ended, 1, 20'000) == 1;
  ::close(handle);
  if (!has_ended) ::kill(first, SIGKILL);
  CHECK(has_ended);
  CHECK(container.finish().code == 0);
}

TEST_CASE("A removal of the package stops the sockets' unit too, before the service that it would start again") {
  const test::Folder folder;
  const std::string stub = folder / "deb-systemd-invoke";
  test::write_file(stub, "#!/bin/sh\necho \"$*\" >>\"$0.calls\"\n");
  REQUIRE(::chmod(stub.c_str(), 0755) == 0);
  test::write_file(folder / "systemctl", "#!/bin/sh\n");
  REQUIRE(::chmod((folder / "systemctl").c_str(), 0755) == 0);
  test::Strings command{"unshare", "--mount"};
  if (::geteuid() != 0) command.insert(command.begin() + 1, {"--user", "--map-root-user"});
  // Only a machine that systemd runs has this folder.
  const std::string script =
      "mount -t tmpfs none /run && mkdir -p /run/systemd/system && PATH=" + folder.path().string() +
      ":$PATH && exec sh \"$0\" remove";
  for (const std::string &word :
       {std::string("sh"), std::string("-c"), script, std::string(OMNISTORE_SOURCE "/scripts/debian/prerm")})
    command.push_back(word);
  const Result removed = test::run_command(command);
  if (says(removed.err, "unshare failed") || says(removed.err, "mount:")) {
    WARN("this machine allows no mount namespaces, so the removal is not tested");
    return;
  }
  INFO(removed.err);
  CHECK(removed.code == 0);
  CHECK(test::read_file(stub + ".calls") == "stop omnistore.socket omnistore.service\n");
}
