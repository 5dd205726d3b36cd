// SPDX-License-Identifier: Apache-2.0
// The longest key that a store takes works with every verb over HTTP and in the command line. One byte more, and every
// verb refuses it with the same status and changes nothing.
#include <cstdlib>
#include <functional>

#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "server/client.hpp"
#include "support/etcd_server.hpp"
#include "support/postgres_server.hpp"
#include "support/redis_server.hpp"

namespace {

using test::Answer;
using test::Client;

/// A key of so many bytes, with segments of at most `most` bytes.
std::string key_of(std::size_t size, std::size_t most) {
  std::string key(size, 'k');
  for (std::size_t i = most; i + 1 < size; i += most + 1) key[i] = ':';
  return key;
}

/// A host with one store at its root, and another host to copy to.
class Ground {
public:
  explicit Ground(const std::string &store) : host_(config("host", store)), target_(config("target", "\"memory\"")) {}

  Answer http(const std::string &method, const std::string &target, std::string_view body = {},
              const std::string &headers = {}) const {
    return Client(address()).ask(method, target, body, headers);
  }
  std::string address() const { return host_.url.substr(std::string_view("http://").size()); }
  test::Result cli(test::Strings arguments, const std::string &input = {}) const {
    arguments.insert(arguments.begin(), {"--url", host_.url, "--admin-url", host_.admin});
    return test::omnistore(arguments, {.input = input, .variables = {{"XDG_STATE_HOME", folder_ / "state"}}});
  }
  const std::string &target() const { return target_.url; }
  std::string file(const std::string &name) const { return folder_ / name; }

private:
  std::string config(const std::string &name, const std::string &store) const {
    test::write_file(folder_ / name, R"({"mounts": {"": {"driver": )" + store + R"(}},
      "server": {"http": {"listen": "127.0.0.1:0"}}, "admin": {"listen": "127.0.0.1:0"}})");
    return folder_ / name;
  }

  test::Folder folder_;
  test::Host host_, target_;
};

/// The outcome of a verb, over HTTP or in the command line.
struct Outcome {
  bool ok = false, too_large = false;
  std::string text;
};

Outcome of(const Answer &answer) {
  return {answer.status == 200 || answer.status == 206, answer.status == 413,
          std::to_string(answer.status) + " " + answer.body};
}

Outcome of(const test::Result &result) {
  return {result.code == 0, result.code == 2 && result.err.find(" bytes") != std::string::npos,
          std::to_string(result.code) + " " + result.out + result.err};
}

/// The first item of a batch.
Outcome of_item(const Answer &answer) {
  if (answer.status != 200) return of(answer);
  const auto lists = boost::json::parse(answer.body).as_object();
  const auto &item = lists.begin()->value().at(0);
  const auto status = item.at("status").to_number<int>();
  return {status == 200, status == 413, answer.body};
}

struct Verb {
  const char *name;
  std::function<Outcome(const Ground &, const std::string &key)> run;
  bool of_base = false; ///< it is about what lies below the key too
};

std::string path(const std::string &key) { return "/" + key; }
std::string batch(const std::string &list, const std::string &item) { return "{\"" + list + "\": [" + item + "]}"; }
std::string quoted(const std::string &key) { return '"' + key + '"'; }

Outcome watched(const Ground &on, const std::string &key) {
  Client watcher(on.address());
  watcher.send(test::request("GET", path(key), {}, "Accept: text/event-stream\r\n"));
  Answer head = watcher.head();
  if (head.status != 200) return {false, head.status == 413, std::to_string(head.status)};
  if (const Answer put = on.http("PUT", path(key), "new"); put.status != 200) return {false, false, "it is watched"};
  std::string events;
  while (events.find("event: update") == std::string::npos) {
    const std::string more = watcher.chunk();
    if (more.empty()) return {false, false, events};
    events += more;
  }
  return {true, false, events};
}

/// Each finds the value that the ones before it have left.
const Verb verbs[] = {
    {"PUT", [](const Ground &on, const std::string &key) { return of(on.http("PUT", path(key), "v")); }},
    {"PUT with a ttl",
     [](const Ground &on, const std::string &key) { return of(on.http("PUT", path(key), "v", "X-Ttl: 3600\r\n")); }},
    {"PUT with user meta",
     [](const Ground &on, const std::string &key) {
       return of(on.http("PUT", path(key), "v", "X-User-Meta: dXNlcg==\r\n"));
     }},
    {"GET", [](const Ground &on, const std::string &key) { return of(on.http("GET", path(key))); }},
    {"GET with user meta",
     [](const Ground &on, const std::string &key) {
       const Answer answer = on.http("GET", path(key), {}, "X-User-Meta: ?\r\n");
       return answer.status == 200 && answer.header("x-user-meta") != "dXNlcg==" ? Outcome() : of(answer);
     }},
    {"GET of a range",
     [](const Ground &on, const std::string &key) {
       return of(on.http("GET", path(key), {}, "Range: bytes=0-0\r\n"));
     }},
    {"GET with a condition",
     [](const Ground &on, const std::string &key) {
       return of(on.http("GET", path(key), {}, "If-None-Match: \"other\"\r\n"));
     }},
    {"HEAD", [](const Ground &on, const std::string &key) { return of(on.http("HEAD", path(key))); }},
    {"PATCH",
     [](const Ground &on, const std::string &key) { return of(on.http("PATCH", path(key), {}, "X-Ttl: 60\r\n")); }},
    {"PUT of user meta by itself",
     [](const Ground &on, const std::string &key) { return of(on.http("PUT", path(key) + "$", "meta")); }},
    {"GET of user meta by itself",
     [](const Ground &on, const std::string &key) { return of(on.http("GET", path(key) + "$")); }},
    {"DELETE of user meta by itself",
     [](const Ground &on, const std::string &key) { return of(on.http("DELETE", path(key) + "$")); }},
    {"set in a batch",
     [](const Ground &on, const std::string &key) {
       return of_item(on.http("POST", "/", batch("set", R"({"key": )" + quoted(key) + R"(, "value": "v"})")));
     }},
    {"get in a batch",
     [](const Ground &on, const std::string &key) {
       return of_item(on.http("POST", "/", batch("get", quoted(key))));
     }},
    {"stat in a batch",
     [](const Ground &on, const std::string &key) {
       return of_item(on.http("POST", "/", batch("stat", quoted(key))));
     }},
    {"a listing below it",
     [](const Ground &on, const std::string &key) { return of(on.http("GET", path(key) + "/")); }, true},
    {"a clear below it",
     [](const Ground &on, const std::string &key) { return of(on.http("DELETE", path(key) + "/")); }, true},
    {"a watch", watched, true},
    {"set", [](const Ground &on, const std::string &key) { return of(on.cli({"set", key, "v"})); }},
    {"get", [](const Ground &on, const std::string &key) { return of(on.cli({"get", key})); }},
    {"has", [](const Ground &on, const std::string &key) { return of(on.cli({"has", key})); }},
    {"meta", [](const Ground &on, const std::string &key) { return of(on.cli({"meta", key})); }},
    {"touch", [](const Ground &on, const std::string &key) { return of(on.cli({"touch", key, "--ttl", "1h"})); }},
    {"set of user meta",
     [](const Ground &on, const std::string &key) { return of(on.cli({"set", key + "$", "meta"})); }},
    {"explain", [](const Ground &on, const std::string &key) { return of(on.cli({"explain", key})); }},
    {"rm", [](const Ground &on, const std::string &key) { return of(on.cli({"rm", key})); }},
    {"remove in a batch",
     [](const Ground &on, const std::string &key) {
       on.http("PUT", path(key), "v");
       return of_item(on.http("POST", "/", batch("remove", quoted(key))));
     }},
    {"DELETE",
     [](const Ground &on, const std::string &key) {
       on.http("PUT", path(key), "v");
       return of(on.http("DELETE", path(key)));
     }},
};

/// A listing, a copy and a dump meet the key without naming it.
void keeps_in_jobs(const Ground &on, const std::string &key) {
  REQUIRE(on.http("PUT", path(key), "v", "X-User-Meta: dXNlcg==\r\n").status == 200);
  CHECK(on.http("GET", "/").body.find(path(key).substr(1, 200)) != std::string::npos);
  CHECK(test::lines(on.cli({"ls"}).out) == test::Strings{key});
  CHECK(on.cli({"copy", "/", "--to-url", on.target()}).code == 0);
  CHECK(on.cli({"verify", "/", "--to-url", on.target()}).code == 0);
  REQUIRE(on.cli({"dump", "/", "-o", on.file("dump")}).code == 0);
  CHECK(on.http("DELETE", "/").status == 200);
  CHECK(on.http("GET", path(key)).status == 404);
  CHECK(on.cli({"restore"}, test::read_file(on.file("dump"))).code == 0);
  const Answer restored = on.http("GET", path(key), {}, "X-User-Meta: ?\r\n");
  CHECK(restored.body == "v");
  CHECK(restored.header("x-user-meta") == "dXNlcg==");
  CHECK(on.http("DELETE", "/").status == 200);
}

/// `longest` is what the driver states, or what is left of that for values if it has no user meta of its own.
void holds_for(const std::string &store, std::size_t longest, std::size_t segment = 200) {
  INFO(store);
  const Ground on(store);
  const std::string key = key_of(longest, segment), longer = key_of(longest + 1, segment);
  for (const Verb &verb : verbs) {
    const Outcome outcome = verb.run(on, key);
    INFO(verb.name << " of " << longest << " bytes: " << outcome.text);
    CHECK(outcome.ok);
  }
  keeps_in_jobs(on, key);
  for (const Verb &verb : verbs) {
    const Outcome outcome = verb.run(on, longer);
    INFO(verb.name << " of " << longest + 1 << " bytes: " << outcome.text);
    // The host does not know which segments a store takes: below one that is too long, nothing is found.
    CHECK((outcome.too_large || (verb.of_base && segment > longest)));
  }
  CHECK(on.http("GET", "/").body == "[]");
}

} // namespace

TEST_CASE("memory takes its longest key in every verb") { holds_for(R"("memory")", 4096); }

TEST_CASE("fs takes its longest key in every verb") {
  const test::Folder folder;
  holds_for(R"("fs", "options": {"base": ")" + folder.path().string() + "\"}", 4064);
}

TEST_CASE("fs takes its longest segment in every verb") {
  const test::Folder folder;
  holds_for(R"("fs", "options": {"base": ")" + folder.path().string() + "\"}", 255, 1000);
}

TEST_CASE("sqlite takes its longest key in every verb") {
  const test::Folder folder;
  holds_for(R"("sqlite", "options": {"path": ")" + (folder / "db") + "\"}", 4096);
}

TEST_CASE("sqlite in unstorage's layout takes its longest key in every verb") {
  const test::Folder folder;
  // The host keeps user meta under the key with a `$`.
  holds_for(R"("sqlite", "options": {"path": ")" + (folder / "db") + R"(", "layout": "db0"})", 4095);
}

TEST_CASE("lmdb takes its longest key in every verb") {
  const test::Folder folder;
  holds_for(R"("lmdb", "options": {"path": ")" + (folder / "db") + "\"}", 511);
}

TEST_CASE("redis takes its longest key in every verb") {
  const test::RedisServer server;
  const std::string base = GENERATE("", R"(, "base": "below")");
  holds_for(R"("redis", "options": {"url": ")" + server.url() + "\"" + base + "}", 4096);
}

TEST_CASE("etcd takes its longest key in every verb") {
  const test::EtcdCluster etcd;
  holds_for(R"("etcd", "options": {)" + etcd.endpoints() + "}", 4096);
}

TEST_CASE("postgres takes its longest key in every verb") {
  const test::PostgresServer server;
  holds_for(R"("postgres", "options": {)" + server.options() + "}", 2600);
}

TEST_CASE("http takes its longest key in every verb") {
  const test::Folder folder;
  test::write_file(folder / "host", R"({"mounts": {"": {"driver": "memory"}},
    "server": {"http": {"listen": "127.0.0.1:0"}}, "admin": {"listen": "127.0.0.1:0"}})");
  const test::Host host(folder / "host");
  holds_for(R"("http", "options": {"base": ")" + host.url + R"(", "omnistore": true})", 4096);
}

TEST_CASE("a cache and an overlay over fs take their longest key in every verb") {
  const test::Folder folder;
  const auto fs = [&](const char *name) { return R"("fs", "options": {"base": ")" + (folder / name) + "\"}"; };
  SECTION("cache") {
    holds_for(fs("copies") + R"(, "invalidation": {"maxAge": 60}, "origin": {"driver": )" + fs("origin") + "}", 4064);
  }
  SECTION("overlay") { // its records of removals have longer keys
    holds_for(R"("overlay", "layers": [{"driver": )" + fs("upper") + R"(}, {"driver": )" + fs("lower") + "}]", 4032);
  }
}
