// SPDX-License-Identifier: Apache-2.0
// The program as a host whose config changes while it runs, and its reports.
#include <catch2/catch.hpp>

#include <filesystem>
#include <regex>

#include <boost/json/serialize.hpp>

#include "program.hpp"
#include "server/client.hpp"

using test::omnistore;
using test::Result;
using test::says;

namespace {

/// A host with memory at the root, and the calls that read and change it.
struct Running {
  explicit Running(const std::string &mounts = R"({ "": { "driver": "memory" } })", const std::string &rest = "")
      : rest_(rest), config(write(mounts)), host(config) {}

  std::string write(const std::string &mounts) const {
    const std::string file = folder / "omnistore.jsonc";
    // In one step, as editors do.
    test::write_file(file + ".new", "{ " + rest_ + R"("plugins": { "paths": [")" + (folder / "plugins") +
                                        R"("] }, "mounts": )" + mounts + R"(,
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
    std::filesystem::rename(file + ".new", file);
    return file;
  }
  Result operator()(test::Strings arguments) const {
    arguments.insert(arguments.begin(), {"--url", host.url, "--admin-url", host.admin});
    return omnistore(arguments);
  }
  /// The next line of its log that says so.
  std::string log(const std::string &part) {
    for (;;) {
      std::string line = host.process().error_line();
      if (says(line, part)) return line;
    }
  }

  test::Folder folder;
  std::string rest_;
  std::string config;
  test::Host host;
};

} // namespace

TEST_CASE("A host reloads its config's file when it changes, and logs the changes") {
  Running running;
  REQUIRE(running({"set", "k", "kept"}).code == 0);
  running.write(R"({ "": { "driver": "memory" }, "new": { "driver": "memory" } })");
  const std::string line = running.log("config reloaded");
  CHECK(says(line, "the config file changed"));
  CHECK(says(line, "mount new added"));
  CHECK(running({"get", "k"}).out == "kept");
  CHECK(says(running({"mounts"}).out, "new:"));
}

TEST_CASE("A host that a bad config is given stays as it is, and says why") {
  Running running;
  REQUIRE(running({"set", "k", "kept"}).code == 0);
  running.write(R"({ "": { "driver": "memroy" } })");
  running.log("config not reloaded");
  CHECK(running({"get", "k"}).out == "kept");
  const Result refused = running({"reload"});
  CHECK(refused.code == 2);
  CHECK(says(refused.err, "did you mean 'memory'"));
  CHECK(says(running({"--json", "stats"}).out, "\"last_failed\":true"));
  running.write(R"({ "": { "driver": "memory" } })");
  CHECK(running({"reload"}).code == 0);
  CHECK(running({"get", "k"}).out == "kept");
}

TEST_CASE("SIGHUP has a host read its config, whatever changed") {
  Running running;
  ::kill(running.host.process().pid(), SIGHUP);
  // Nothing is different, which is logged at debug alone; the count shows it.
  for (;;) {
    const Result stats = running({"--json", "stats"});
    REQUIRE(stats.code == 0);
    const int done = stats.json().at("reloads").at("done").to_number<int>();
    REQUIRE(done <= 1);
    if (done == 1) break;
  }
  CHECK(running.host.stop().code == 0);
}

TEST_CASE("A new plugin in a folder is there for the next mount, and a replaced one is loaded again") {
  Running running;
  std::filesystem::create_directories(running.folder.path() / "plugins");
  const std::string plugin = running.folder / "plugins/memory.so";
  std::filesystem::copy(OMNISTORE_BUILD "/plugins/memory.so", plugin);
  REQUIRE(running({"reload"}).code == 0); // the folder is new: it is watched from here on
  CHECK(says(running({"--json", "mounts"}).out, plugin));
  test::write_file(running.folder / "plugins/.part", test::read_file(plugin) + "\n");
  std::filesystem::rename(running.folder / "plugins/.part", plugin);
  const std::string line = running.log("memory.so changed");
  CHECK(says(line, "mount root replaced (memory "));
  CHECK(says(line, ", plugin file " + plugin + ")"));
}

TEST_CASE("A plugin that is linked into a folder is taken up by itself") {
  Running running;
  std::filesystem::create_directories(running.folder.path() / "plugins");
  running.write(R"({ "": { "driver": "memory" }, "new": { "driver": "null" } })");
  running.log("mount new added"); // from here on the folder is watched
  const std::string plugin = running.folder / "plugins/memory.so";
  std::filesystem::create_symlink(OMNISTORE_BUILD "/plugins/memory.so", plugin);
  CHECK(says(running.log("memory.so changed"), ", plugin file " + plugin + ")"));
}

TEST_CASE("check --diff reports the changes of a reload, and the reload makes just those") {
  Running running(R"({ "": { "driver": "memory" }, "a": { "driver": "memory" }, "b": { "driver": "memory" } })");
  const std::string before = running.folder / "before.jsonc";
  std::filesystem::copy(running.config, before);
  // The running host must not see it before the reload: another folder has the new one.
  const std::string next = running.folder / "next.jsonc";
  std::string text = test::read_file(before);
  text.replace(text.find(R"("a": { "driver": "memory" })"), 27, R"("a": { "driver": "null" })");
  text.replace(text.find(R"(, "b": { "driver": "memory" })"), 29, R"(, "c": { "driver": "memory", "ttl": "5m" })");
  text.insert(text.find('{') + 1, R"("stopTimeout": "3s", "log": { "json": true }, )");
  test::write_file(next, text);
  const Result diff = omnistore({"-c", next, "check", "--diff", before});
  CHECK(diff.code == 0);
  const test::Strings lines = test::lines(diff.out);
  REQUIRE(lines.size() == 7);
  CHECK(std::regex_search(lines[1], std::regex("^kept +\\(root\\) +memory +-$")));
  CHECK(std::regex_search(lines[2], std::regex("^replaced +a: +null +driver memory -> null$")));
  CHECK(std::regex_search(lines[3], std::regex("^removed +b: ")));
  CHECK(std::regex_search(lines[4], std::regex("^added +c: ")));
  CHECK(lines[5] == "stopTimeout is different; it takes effect with the reload");
  CHECK(lines[6] == "log.json is different; it takes effect when the host is started again");
  CHECK(test::lines(running({"check", "--diff"}).out).size() == 4); // the host's own file says nothing new
  CHECK_FALSE(says(running({"reload", "--dry-run"}).out, "replaced"));
  std::filesystem::rename(next, running.config);
  // By itself or by the request, whichever is first: together they are one change.
  CHECK(running({"reload"}).code == 0);
  CHECK(says(running({"mounts"}).out, "c:"));
  CHECK_FALSE(says(running({"mounts"}).out, "b:"));
}

TEST_CASE("A store is mounted in a host that runs, and unmounted") {
  Running running;
  CHECK(running({"mount", "scratch", "memory", "-o", "size=2"}).code == 0);
  for (const char *key : {"scratch:1", "scratch:2", "scratch:3"}) REQUIRE(running({"set", key, "x"}).code == 0);
  CHECK(test::lines(running({"ls", "scratch"}).out).size() == 2);
  CHECK(running({"mount", "scratch", R"({"driver": "memory", "ttl": "1h"})"}).code == 0);
  CHECK(running({"ls", "scratch"}).out.empty());
  const Result wrong = running({"mount", "scratch", "memory", "-o", "size"});
  CHECK(wrong.code == 2);
  CHECK(says(wrong.err, "NAME=VALUE"));
  CHECK(says(running({"mount", "scratch", "memory", "-o", "size=many"}).err, "size"));
  CHECK(running({"unmount", "scratch"}).code == 0);
  const Result gone = running({"unmount", "scratch"});
  CHECK(gone.code == 1);
  CHECK(says(gone.err, "omnistore mounts"));
}

TEST_CASE("reload, mount and stats find the host by the config that it runs with") {
  test::Folder folder;
  const std::string config = folder / "omnistore.jsonc";
  const std::string token = "a-secret-token";
  test::write_file(config, R"({ "mounts": { "": { "driver": "memory" } }, "server": { "http": { "listen": "" } },
    "admin": { "listen": "127.0.0.1:0", "tokens": [ { "value": ")" +
                               token + R"(", "write": true } ] } })");
  test::Host host(config);
  // With the port that it has now, which the config of a host in earnest names.
  std::string text = test::read_file(config);
  text.replace(text.find("127.0.0.1:0"), 11, host.admin.substr(7));
  test::write_file(config, text);
  CHECK(omnistore({"-c", config, "mount", "x", "memory"}).code == 0);
  CHECK(says(omnistore({"-c", config, "stats"}).out, "x:"));
  CHECK(omnistore({"-c", config, "reload"}).code == 0);
  CHECK(omnistore({"--admin-url", host.admin, "stats"}).code == 3);
  const Result stopped = host.stop();
  CHECK_FALSE(says(stopped.err, token));
  const Result nobody = omnistore({"-c", config, "stats"});
  CHECK(nobody.code == 6);
  CHECK(says(nobody.err, config));
}

TEST_CASE("login prints a link that logs a browser in once, with the token that it finds by itself") {
  for (const std::string tokens : {"", R"(, "tokens": [{ "value": "reads" }, { "value": "owner", "write": true }])"}) {
    test::Folder folder;
    const std::string config = folder / "omnistore.jsonc";
    test::write_file(config, R"({ "mounts": { "": { "driver": "memory" } }, "server": { "http": { "listen": "" } },
      "admin": { "listen": "127.0.0.1:0")" +
                                 tokens + "} }");
    test::Host host(config);
    std::string text = test::read_file(config);
    text.replace(text.find("127.0.0.1:0"), 11, host.admin.substr(7));
    test::write_file(config, text);
    const Result login = omnistore({"-c", config, "login"});
    INFO(login.out << login.err);
    REQUIRE(login.code == 0);
    const std::string start = host.admin + "/#code=";
    REQUIRE(login.out.starts_with(start));
    CHECK(login.out.ends_with('\n'));
    const std::string code = login.out.substr(start.size(), login.out.size() - start.size() - 1);
    const std::string body = R"({"code":")" + code + "\"}";
    test::Client client(host.admin.substr(7));
    const std::string cookie = client.ask("POST", "/session", body).header("set-cookie");
    REQUIRE_FALSE(cookie.empty());
    CHECK(client.ask("GET", "/config", {}, "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n").status == 200);
    CHECK(client.ask("POST", "/session", body).status == 401);
    const auto other = boost::json::parse(omnistore({"-c", config, "--json", "login"}).out);
    CHECK(other.at("page").as_string().starts_with(start));
    CHECK(other.at("page").as_string() != start + code);
    if (tokens.empty()) continue;
    const Result refused = omnistore({"--admin-url", host.admin, "--token", "reads", "login"});
    CHECK(refused.code == 3);
    CHECK(says(refused.err, "login at " + host.admin));
  }
}

TEST_CASE("stores in memory, sqlite and lmdb report their size") {
  const test::Folder files;
  const auto mount = [&files](const std::string &driver) {
    return "\"" + driver + R"(": { "driver": ")" + driver + R"(", "options": { "path": ")" + (files / driver) +
           "\" } }";
  };
  Running running(
      R"({ "": { "driver": "memory" }, "full": { "driver": "memory", "options": { "maxBytes": "1MiB" } }, )" +
      mount("sqlite") + ", " + mount("lmdb") + " }");
  for (const char *key : {"a", "b", "full:a", "sqlite:a", "lmdb:a"})
    REQUIRE(running({"set", key, std::string(1000, 'v')}).code == 0);
  const auto stats = boost::json::parse(running({"--json", "stats"}).out);
  for (const auto &each : stats.at("mounts").as_array()) {
    const std::string point(each.at("mountpoint").as_string());
    const auto &gauges = each.at("gauges").as_object();
    INFO(point << ": " << boost::json::serialize(gauges));
    if (point.empty()) CHECK(gauges.at("keys").to_number<int>() == 2);
    if (point == "full") CHECK(gauges.at("keys").to_number<int>() == 1);
    if (!point.empty()) CHECK(gauges.at("bytes").to_number<int>() > 1000);
  }
  CHECK(stats.at("mounts").as_array().size() == 4);
}

TEST_CASE("another user of the machine is refused with the reason and a next step") {
  using test::Strings;
  const Strings as_nobody{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", test::program()};
  Strings help = as_nobody;
  help.emplace_back("--help");
  if (test::run_command(help).code != 0) {
    WARN("not run: only root can be another user, who must reach the built program");
    return;
  }
  Running running;
  for (const Strings &command : {Strings{"mounts"},
                                 {"drivers"},
                                 {"stats"},
                                 {"explain", "a"},
                                 {"mount", "x", "memory"},
                                 {"unmount", "x"},
                                 {"reload"},
                                 {"login"},
                                 {"check", "--diff"}}) {
    INFO(command.front());
    Strings whole = as_nobody;
    whole.insert(whole.end(), {"--url", running.host.url, "--admin-url", running.host.admin});
    whole.insert(whole.end(), command.begin(), command.end());
    const Result refused = test::run_command(whole);
    CHECK(refused.code == 3);
    CHECK(says(refused.err, "uid 65534"));
    CHECK(says(refused.err, "run this as that user"));
  }
  CHECK(running({"mounts"}).code == 0);
}

TEST_CASE("stats prints totals and rates, and top prints the busiest mount first") {
  Running running(R"({ "": { "driver": "memory" }, "busy": { "driver": "overlay",
    "layers": [ { "driver": "memory" }, { "driver": "memory" } ] } })");
  for (const char *key : {"busy:1", "busy:2"}) REQUIRE(running({"set", key, "12345"}).code == 0);
  REQUIRE(running({"get", "busy:1"}).code == 0);
  REQUIRE(running({"get", "busy:9"}).code == 1);
  const test::Strings lines = test::lines(running({"stats"}).out);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].starts_with("MOUNT"));
  CHECK(std::regex_search(lines[2], std::regex("^busy: +overlay +2 +1 +50.0% +2 ")));
  CHECK(says(lines[3], "├─ 0"));
  CHECK(test::lines(running({"stats", "busy"}).out).size() == 4);
  CHECK(running({"stats", "nowhere"}).code == 1);
  const Result json = running({"--json", "stats", "busy"});
  CHECK(json.json().at("mounts").at(0).at("hit_rate").to_number<double>() == 0.5);
  CHECK(json.json().at("mounts").at(0).at("layers").as_array().size() == 2);
  CHECK(test::lines(running({"stats", "--watch", "10ms", "--count", "2"}).out).size() == 10);
  const test::Strings top = test::lines(running({"top", "--delay", "10ms", "--count", "1"}).out);
  REQUIRE(top.size() == 6);
  CHECK(says(top[0], "memory"));
  CHECK(says(top[1], "READS/S"));
  CHECK(running({"stats", "--watch", "soon"}).code == 2);
}

TEST_CASE("At debug a host logs each operation, slow ones with their mount, and no secret") {
  // A driver whose option is a secret, at a place where nothing listens.
  Running running(R"({ "": { "driver": "memory" }, "far": { "driver": "http", "optional": true,
    "options": { "base": "http://user:pass-word@127.0.0.1:9/", "headers": { "Authorization": "Bearer secret-token" } } } })",
                  R"("log": { "level": "debug", "slow": "1ms" }, )");
  REQUIRE(running({"set", "user:1", "Ada"}).code == 0);
  REQUIRE(running({"get", "user:1"}).code == 0);
  REQUIRE(running({"get", "user:2"}).code == 1);
  CHECK(running({"get", "far:1"}).code != 0);
  const Result stopped = running.host.stop();
  for (const char *line : {"WRITE user:1 \\([0-9.]+ms\\)", "READ HIT user:1 \\([0-9.]+ms\\)",
                           "READ MISS user:2 \\([0-9.]+ms\\)", "READ ERROR far:1 \\([0-9.]+ms\\)"}) {
    INFO(line << "\n" << stopped.err);
    CHECK(std::regex_search(stopped.err, std::regex(line)));
  }
  CHECK_FALSE(says(stopped.err, "pass-word"));
  CHECK_FALSE(says(stopped.err, "secret-token"));
}
