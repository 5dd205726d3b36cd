// SPDX-License-Identifier: Apache-2.0
// A host that is stopped, or whose mounts change, while a driver hangs in it or a client does not get on.
#include <catch2/catch.hpp>

#include <chrono>
#include <optional>
#include <sstream>

#include "program.hpp"
#include "server/client.hpp"

using test::Client;
using test::Result;
using test::says;
using Clock = std::chrono::steady_clock;

namespace {

/// A host with memory at the root, files at "f", a store at "stuck" that hangs in one function, and one at "sound" that
/// says when it is closed.
class StuckHost {
public:
  explicit StuckHost(const std::string &in, const std::string &more = {}) : in_(in) {
    write(more);
    host_.emplace(folder / "omnistore.jsonc");
    http = host_->url.substr(std::string("http://").size());
    admin = host_->admin.substr(std::string("http://").size());
  }
  void write(const std::string &more) {
    test::write_file(folder / "omnistore.jsonc", config(folder.path(), in_, more));
  }
  static std::string config(const std::string &folder, const std::string &in, const std::string &more) {
    return R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/tests/stuck", ")" OMNISTORE_BUILD R"(/plugins"] },
      "mounts": { "": { "driver": "memory" }, "f": { "driver": "fs", "options": { "base": ")" +
           folder + R"(/f" } }, "sound": { "driver": "stuck" }, "stuck": { "driver": "stuck", "options": { "in": ")" +
           in + R"(" } })" + more + R"( }, "stopTimeout": "2s", "openTimeout": "60s",
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })";
  }
  /// Returns when the driver hangs.
  void await_stuck() { await("stuck in " + in_ + "\n"); }
  void await(const std::string &line) {
    while (process().error_line() != line) {
    }
  }
  /// Returns when the host's log says it.
  void await_log(const std::string &part) {
    while (!says(process().error_line(), part)) {
    }
  }
  /// Returns when the host has taken so many clients in.
  void await_clients(int count) {
    const std::string wanted = "\"connections\":" + std::to_string(count);
    while (!says(Client(admin).ask("GET", "/stats").body, wanted)) {
    }
  }
  test::Process &process() { return host_->process(); }
  Result stop() { return host_->stop(); }
  /// The mountpoints that the host has, and those that drain, with commas.
  std::string mounted(const char *field = "mounts") {
    const auto answer = boost::json::parse(Client(admin).ask("GET", "/mounts").body);
    std::string points;
    if (const auto *list = answer.get_object().if_contains(field))
      for (const auto &mount : list->get_array()) points += std::string(mount.at("mountpoint").as_string()) + ",";
    return points;
  }

  test::Folder folder;
  std::string http, admin;

private:
  const std::string in_;
  std::optional<test::Host> host_;
};

/// Sends the request that makes the driver hang, and waits for no response.
void provoke(const std::string &in, Client &client) {
  if (in == "get") client.send("GET /stuck/k HTTP/1.1\r\nHost: localhost\r\n\r\n");
  if (in == "set") client.send("PUT /stuck/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
  if (in == "list") client.send("GET /stuck/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  if (in == "clear") client.send("DELETE /stuck/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  if (in == "watch") client.send("GET /stuck/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
}

bool within(Clock::time_point since, int seconds) { return Clock::now() - since < std::chrono::seconds(seconds); }

} // namespace

TEST_CASE("A host in which a driver hangs stops in time, closes the other stores and names the rest") {
  const std::string in = GENERATE("get", "set", "list", "clear");
  INFO(in);
  StuckHost host(in);
  Client client(host.http);
  provoke(in, client);
  host.await_stuck();
  const auto began = Clock::now();
  const Result stopped = host.stop();
  CHECK(within(began, 10));
  CHECK(stopped.code == 6);
  CHECK(says(stopped.err, "waits for 1 connection"));
  CHECK(says(stopped.err, in + " (mount stuck, driver stuck), which has run for "));
  CHECK(says(stopped.err, "\nclosed\n"));
  CHECK(says(stopped.err, "the store at stuck (driver stuck) is not closed; it waits for 1 call (" + in + " for "));
}

TEST_CASE("A host whose store hangs in its close stops in time and names it") {
  StuckHost host("close");
  const auto began = Clock::now();
  const Result stopped = host.stop();
  CHECK(within(began, 10));
  CHECK(stopped.code == 6);
  CHECK(says(stopped.err, "\nclosed\n"));
  CHECK(says(stopped.err, "the store at stuck (driver stuck) is not closed; it waits for its close"));
}

TEST_CASE("A host whose store hangs at the begin or the end of a watch stops in time") {
  const std::string in = GENERATE("watch", "unwatch");
  INFO(in);
  StuckHost host(in);
  Client client(host.http);
  provoke("watch", client);
  if (in == "watch")
    host.await_stuck();
  else
    client.head();
  const auto began = Clock::now();
  const Result stopped = host.stop();
  CHECK(within(began, 10));
  CHECK(stopped.code == 6);
  CHECK(says(stopped.err, "\nclosed\n"));
}

TEST_CASE("A host stops in time whatever its clients do not get on with") {
  StuckHost host("nothing");
  test::write_file(host.folder / "f/big", std::string(8 << 20, 'b'));
  Client client(host.http);
  const std::string what = GENERATE("half a head", "half a body", "a slow reader");
  INFO(what);
  if (what == "half a head") client.send("GET /a HTT");
  if (what == "half a body") client.send("PUT /f/new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nx");
  if (what == "a slow reader") {
    client.hold_back(4096);
    client.send("GET /f/big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.readable_within(20'000);
  }
  if (what != "a slow reader") // the host has read it
    host.await_clients(1);
  const auto began = Clock::now();
  const Result stopped = host.stop();
  CHECK(within(began, 10));
  CHECK(stopped.code == 6);
  CHECK(says(stopped.err, "1 connection is cut off"));
  CHECK(says(stopped.err, "closed\n"));
}

TEST_CASE("A host with an open stream of events stops at once and whole") {
  StuckHost host("nothing");
  Client client(host.http);
  provoke("watch", client);
  client.head();
  const Result stopped = host.stop();
  CHECK(stopped.code == 0);
}

TEST_CASE("A second signal ends a host that is stopping at once") {
  StuckHost host("get");
  Client client(host.http);
  provoke("get", client);
  host.await_stuck();
  ::kill(host.process().pid(), SIGTERM);
  while (!says(host.process().error_line(), "once more stops at once")) {
  }
  const Result stopped = host.stop();
  CHECK(stopped.code == 128 + SIGTERM);
}

TEST_CASE("A host that hangs in the open of a store while it starts ends at SIGTERM") {
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc", StuckHost::config(folder.path(), "open", {}));
  test::Process process({test::program(), "-c", folder / "omnistore.jsonc", "serve"}, {});
  while (process.error_line() != "stuck in open\n") {
  }
  ::kill(process.pid(), SIGTERM);
  const Result ended = process.finish();
  CHECK(ended.code == 128 + SIGTERM);
  CHECK(says(ended.err, "open (mount stuck, driver stuck) has run for "));
}

TEST_CASE("Mounts change in a host in which a driver hangs, by whatever way they are changed") {
  const std::string in = GENERATE("get", "set", "list", "clear", "watch");
  INFO(in);
  StuckHost host(in);
  Client client(host.http), admin(host.admin);
  provoke(in, client);
  host.await_stuck();
  const std::string memory = R"({"driver": "memory"})";
  CHECK(admin.ask("PUT", "/mounts/x", memory).status == 200);
  CHECK(admin.ask("GET", "/reload").status == 200);
  CHECK(admin.ask("DELETE", "/mounts/x?wait=20s").body.ends_with("\"draining\":[]}\n"));
  host.write(R"(, "watched": { "driver": "memory" })");
  host.await_log("mount watched added");
  CHECK(says(host.mounted(), "watched,"));
  host.write(R"(, "asked": { "driver": "memory" })");
  CHECK(admin.ask("POST", "/reload").status == 200);
  CHECK(says(host.mounted(), "asked,"));
  host.write(R"(, "signalled": { "driver": "memory" })");
  ::kill(host.process().pid(), SIGHUP);
  host.await_log("mount signalled added");
  CHECK(says(host.mounted(), "signalled,"));
  for (const char *path : {"/stats", "/metrics", "/drivers", "/ready"}) CHECK(admin.ask("GET", path).status == 200);
  // The remedy: the mount goes, and is shown until its store is closed.
  CHECK(says(admin.ask("DELETE", "/mounts/stuck").body, "\"driver\":\"stuck\""));
  CHECK(host.mounted("draining") == "stuck,");
  const Result shown =
      test::omnistore({"--admin-url", "http://" + host.admin, "--url", "http://" + host.http, "mounts"});
  CHECK(says(shown.out, "draining: waits for 1 "));
  CHECK(host.stop().code == 6);
}

TEST_CASE("A mount whose open hangs delays no other change, and one of its own mountpoint gets the reason") {
  StuckHost host("nothing");
  Client client(host.admin), admin(host.admin);
  const std::string body = R"({"driver":"stuck","options":{"in":"open"}})";
  client.send("PUT /mounts/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  host.await("stuck in open\n");
  CHECK(admin.ask("PUT", "/mounts/x", R"({"driver": "memory"})").status == 200);
  CHECK(admin.ask("GET", "/reload").status == 200);
  CHECK(admin.ask("POST", "/reload").status == 200);
  CHECK(admin.ask("DELETE", "/mounts/x").status == 200);
  const test::Answer refused = admin.ask("PUT", "/mounts/slow", R"({"driver": "memory"})");
  CHECK(refused.status == 503);
  CHECK(says(refused.body, "another change (mount slow) has run for "));
  CHECK(says(refused.body, "opens a store (mount slow, driver stuck)"));
  const auto began = Clock::now();
  CHECK(host.stop().code == 6);
  CHECK(within(began, 10));
}

TEST_CASE("A store is unmounted with --wait when it is closed") {
  StuckHost host("nothing");
  const Result result = test::omnistore(
      {"--admin-url", "http://" + host.admin, "--url", "http://" + host.http, "unmount", "sound", "--wait"});
  CHECK(result.code == 0);
  CHECK(host.mounted("draining").empty());
  host.await("closed\n");
  CHECK(host.stop().code == 0);
}
