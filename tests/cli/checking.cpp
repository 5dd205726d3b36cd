// SPDX-License-Identifier: Apache-2.0
// check lists at once what keeps a host from serving a config, and serve, reload and mount refuse the same.
#include <catch2/catch.hpp>

#include <algorithm>

#include "program.hpp"

using test::Result;
using test::says;
using test::Strings;

namespace {

/// The problems of a config as check prints them, without their places.
class Checked {
public:
  explicit Checked(const std::string &text, const Strings &more = {}) {
    test::write_file(file(), text);
    Strings command{"-c", file(), "check"};
    command.insert(command.end(), more.begin(), more.end());
    result = test::omnistore(command);
    served = test::omnistore({"-c", file(), "serve"});
  }
  std::string file() const { return folder_ / "x.jsonc"; }
  std::string folder() const { return folder_.path().string(); }
  /// Returns true if check lists this, and serve refuses the config with it too.
  bool lists(const std::string &part) const { return says(result.err, part) && says(served.err, part); }

  Result result, served;

private:
  test::Folder folder_;
};

std::string mounts(const std::string &inner) {
  return R"({ "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "" }, "mounts": { )" + inner +
         " } }";
}

} // namespace

TEST_CASE("check lists the findings of every stage at once, and serve lists the same") {
  const Checked checked(R"({
    "ttl": "x",
    "prefx": "p",
    "prefix": "${NOWHERE}",
    "mounts": {
      "a": { "driver": "memory", "ttl": "y", "options": { "size": "many" } },
      "b": { "driver": "memory", "readOnly": 1, "options": { "siez": 5 } },
      "c": { "driver": "overlay", "optional": "no", "options": { "writeTo": 7 }, "layers": [ { "driver": "memory" } ] },
      "d": { "driver": "redis", "prefix": 5, "options": { "url": "http://127.0.0.1:1" } },
      "e": { "driver": "nowhere" },
      "f": { "drivr": "memory" },
      "g": 5,
    },
    "server": { "http": { "listen": "0.0.0.0:7700", "threads": "all" } },
    "profiles": { "p": { "prefx": "" } },
  })",
                        {"--profile", "none"});
  CHECK(checked.result.code == 2);
  INFO(checked.result.err);
  for (const char *each :
       {"profiles: there is no profile \"none\"", "ttl: expected a duration", "prefx: there is no such field",
        "prefix: the environment variable NOWHERE is not set", "mounts.a.ttl: expected a duration",
        "mounts.a.options.size: expected an integer", "mounts.b.readOnly: expected true or false",
        "mounts.b.options.siez: there is no such field; did you mean \"size\"?", "mounts.c.optional:",
        "mounts.c.options.writeTo: 7 is no layer", "mounts.d.prefix:", "mounts.d.options.url: it begins with redis://",
        "mounts.e.driver: there is no driver 'nowhere'", "mounts.f: the field \"driver\" is missing",
        "mounts.g: expected an object", "server.http.listen: 0.0.0.0:7700: it can be reached from other machines",
        "server.http.threads:", "profiles.p.prefx: there is no such field"}) {
    INFO(each);
    CHECK(says(checked.result.err, each));
  }
  CHECK(checked.served.code == 2);
  CHECK(says(checked.served.err, "mounts.d.options.url: it begins with redis://"));
  CHECK(says(checked.served.err, "server.http.listen: 0.0.0.0:7700"));
}

TEST_CASE("check also looks into a mount whose mountpoint is taken or none") {
  const Checked checked(
      mounts(R"("a": { "driver": "memory" }, "/a/": { "driver": "memory", "options": { "size": "x" } },
      "..": { "driver": "redis", "options": { "url": "x" } })"));
  CHECK(checked.lists("mounts./a/: it is the same mountpoint"));
  CHECK(checked.lists("mounts./a/.options.size: expected an integer"));
  CHECK(checked.lists("mounts.\"..\": this is not a mountpoint"));
}

TEST_CASE("check finds layers that cannot stand above one another, whatever stands between them") {
  const std::string compress = R"({ "driver": "compress", "layers": [{ "driver": "memory" }] })";
  const std::string all[] = {compress, R"({ "driver": "retry", "layers": [)" + compress + "] }",
                             R"({ "driver": "cache", "layers": [{ "driver": "memory" }, )" + compress + "] }"};
  for (const std::string &below : all) {
    const Checked twice(mounts(R"("a": { "driver": "compress", "layers": [)" + below + "] }"));
    INFO(twice.result.err);
    CHECK(twice.result.code == 2);
    CHECK(twice.lists("mounts.a.driver: compress does not work above compress"));
    const Checked above(mounts(R"("a": { "driver": "encrypt", "options": { "keys": "a )" + std::string(64, '1') +
                               R"(" }, "layers": [)" + below + "] }"));
    CHECK(above.lists("mounts.a.driver: encrypt does not work above compress"));
  }
}

TEST_CASE("check gives the line and column of a driver's finding in its options") {
  const Checked checked("{ \"mounts\": {\n  \"a\": { \"driver\": \"overlay\",\n    \"options\": { \"writeTo\": 2 },\n"
                        "    \"layers\": [ { \"driver\": \"memory\" } ] } } }");
  CHECK(says(checked.result.err, "mounts.a.options.writeTo: 2 is no layer; there are 1, 0 to 0 (line 3, column 29)"));
}

TEST_CASE("check calls each driver to validate its options, without opening a store") {
  const auto [options, problem] = GENERATE(table<std::string, std::string>({
      {R"("driver": "overlay", "options": { "writeTo": 1 }, "layers": [ { "driver": "memory" } ])",
       "options.writeTo: "},
      {R"("driver": "overlay", "options": { "writeTo": [0, 4] }, "layers": [ { "driver": "memory" } ])",
       "options.writeTo: 4 is no layer"},
      {R"("driver": "overlay", "options": { "writeTo": "some" }, "layers": [ { "driver": "memory" } ])",
       "options.writeTo: expected an index"},
      {R"("driver": "overlay", "options": { "writeTo": [] }, "layers": [ { "driver": "memory" } ])",
       "options.writeTo: the list is empty"},
      {R"("driver": "redis", "options": { "url": "http://127.0.0.1" })", "options.url: it begins with redis://"},
      {R"("driver": "redis", "options": { "url": "rediss://127.0.0.1", "cert": "c.pem" })",
       "options.cert: cert and key belong together"},
      {R"("driver": "redis", "options": { "url": "redis://127.0.0.1:70000" })", "options.url: the port"},
      {R"("driver": "postgres", "options": { "url": "http://127.0.0.1/app" })", "options.url: it is no connection URI"},
      {R"("driver": "postgres", "options": { "url": "postgresql://127.0.0.1:99999/app" })",
       "options.url: its port is no number"},
      {R"("driver": "postgres", "options": { "url": "postgresql://db/app?sslmode=some" })",
       "options.url: there is no sslmode some"},
      {R"("driver": "sqlite", "options": { "path": "data", "table": "SQLite_own" })", "options.table: SQLite keeps"},
      {R"("driver": "sqlite", "options": { "path": "data", "maxBytes": 1 })", "options.maxBytes: 1 holds no table"},
      {R"("driver": "etcd", "options": { "endpoints": ["redis://127.0.0.1:2379"] })", "options.endpoints"},
      {R"("driver": "etcd", "options": { "prefix": ")" + std::string(70'000, 'p') + R"(", "maxRequestBytes": 65536 })",
       "options.prefix: it is too long for maxRequestBytes"},
      {R"("driver": "http", "options": { "base": "ftp://127.0.0.1" })", "options.base: "},
      {R"("driver": "http", "options": { "base": "http://127.0.0.1", "headers": { "Range": "x" } })",
       "options.headers: Range is set by the driver itself"},
      {R"("driver": "memory", "options": { "maxBytes": 1 })", "options.maxBytes: 1 holds no entry"},
      {R"("driver": "fs", "options": { "base": "data", "ignore": ["{a"] })", "options.ignore: the pattern"},
      {R"("driver": "fs", "options": { "base": "a\u0000b" })", "options.base: expected the path"},
      {R"("driver": "memory", "invalidation": { "maxAge": "1000d" }, "origin": { "driver": "memory" })",
       "invalidation.maxAge: at most 366d"},
      {R"("driver": "memory", "through": [ { "driver": "overlay", "options": { "writeTo": 1 } } ])",
       "through.0.options.writeTo: 1 is no layer"},
      {R"("driver": "overlay", "layers": [ { "driver": "redis", "options": { "url": "x" } } ])",
       "layers.0.options.url: it begins with redis://"},
      {R"("driver": "overlay", "layers": [])", "layers: "},
  }));
  const Checked checked(mounts("\"m\": { " + options + " }"));
  INFO(checked.result.err << checked.served.err);
  CHECK(checked.result.code == 2);
  CHECK(checked.served.code == 2);
  CHECK(checked.lists("mounts.m." + problem));
  CHECK_FALSE(std::filesystem::exists(checked.folder() + "/data"));
}

TEST_CASE("check lists every pattern and every option that a driver refuses") {
  const Checked checked(mounts(R"("f": { "driver": "fs", "options": { "base": "d", "ignore": ["{a"] } },
      "h": { "driver": "http", "options": { "base": "ftp://x", "headers": { "Range": "x" } } })"));
  for (const char *each : {"mounts.f.options.ignore", "mounts.h.options.base", "mounts.h.options.headers"})
    CHECK(checked.lists(each));
}

TEST_CASE("check and serve refuse listeners that could not be opened") {
  const auto [config, problem] = GENERATE(table<std::string, std::string>({
      {R"("server": { "http": { "listen": "0.0.0.0:0" } })", "server.http.listen: 0.0.0.0:0: it can be reached"},
      {R"("server": { "http": { "listen": "[::]:0" } })", "server.http.listen: [::]:0: it can be reached"},
      {R"("admin": { "listen": "0.0.0.0:0" })", "admin.listen: 0.0.0.0:0: it can be reached"},
      {R"("admin": { "listen": "example.org:7701" })", "admin.listen: expected address:port"},
      {R"("admin": { "listen": "127.0.0.1" })", "admin.listen: "},
      {R"("server": { "http": { "listen": "127.0.0.1:7790" } }, "admin": { "listen": "127.0.0.1:7790" })",
       "admin.listen: 127.0.0.1:7790 is taken by server.http.listen"},
      {R"("server": { "http": { "listen": "0.0.0.0:7790", "tokens": [ { "value": "abcd" } ] } },
          "admin": { "listen": "localhost:7790" })",
       "admin.listen: 127.0.0.1:7790 is taken by server.http.listen"},
  }));
  const Checked checked(R"({ "mounts": { "": { "driver": "memory" } }, )" + config + " }");
  INFO(checked.result.err << checked.served.err);
  CHECK(checked.result.code == 2);
  CHECK(checked.served.code == 2);
  CHECK(checked.lists(problem));
}

TEST_CASE("options of an optional mount are a problem if its driver or its schema refuses them") {
  const Checked checked(mounts(R"("m": { "driver": "redis", "optional": true, "options": { "url": "x" } })"));
  CHECK(checked.lists("mounts.m.options.url"));
}

TEST_CASE("check --open also opens the stores, and lists all that fail") {
  const test::Folder folder;
  test::write_file(folder / "file", "");
  test::write_file(folder / "x.jsonc",
                   mounts(R"("a": { "driver": "fs", "options": { "base": ")" + (folder / "file") +
                          R"(" } }, "b": { "driver": "fs", "options": { "base": ")" + (folder / "file/sub") + R"(" } },
      "c": { "driver": "fs", "optional": true, "options": { "base": ")" +
                          (folder / "file") + R"(" } })"));
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "check"}).code == 0);
  const Result opened = test::omnistore({"-c", folder / "x.jsonc", "check", "--open"});
  CHECK(opened.code == 2);
  INFO(opened.err);
  CHECK(says(opened.err, "2 problems"));
  CHECK(says(opened.err, "mounts.a: open (mount a, driver fs): "));
  CHECK(says(opened.err, "mounts.b: open (mount b, driver fs): "));
}

TEST_CASE("check --open says that a listener's port is taken") {
  const test::Place place;
  test::Host host(place.config());
  const std::string address = host.url.substr(std::string("http://").size());
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", R"({ "mounts": { "": { "driver": "memory" } }, "admin": { "listen": "" },
      "server": { "http": { "listen": ")" + address +
                                           R"(" } } })");
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "check"}).code == 0);
  const Result opened = test::omnistore({"-c", folder / "x.jsonc", "check", "--open"});
  CHECK(opened.code == 2);
  CHECK(says(opened.err, "server.http.listen: " + address + ": Address already in use"));
}

TEST_CASE("a mount at run time passes the same checks") {
  const test::Place place;
  test::Host host(place.config());
  const Result mounted = test::omnistore(
      {"--url", host.url, "--admin-url", host.admin, "mount", "r", "redis", "-o", "url=http://127.0.0.1"});
  CHECK(mounted.code == 2);
  CHECK(says(mounted.err, "options.url: it begins with redis://"));
}

TEST_CASE("a reload passes the same checks") {
  const test::Place place;
  test::Host host(place.config());
  test::write_file(place.config(), R"({ "ttl": "x", "mounts": {
      "o": { "driver": "overlay", "options": { "writeTo": 1 }, "layers": [ { "driver": "memory" } ] } } })");
  const Result reloaded = test::omnistore({"--admin-url", host.admin, "--url", host.url, "reload"});
  CHECK(reloaded.code == 2);
  CHECK(says(reloaded.err, "mounts.o.options.writeTo: 1 is no layer"));
  CHECK(says(reloaded.err, "ttl: expected a duration"));
}

TEST_CASE("every command lists all that is wrong in its config") {
  const Checked checked(R"({ "ttl": "x", "mounts": { "a": { "driver": "memory", "options": { "size": "many" } } } })");
  const Result got = test::omnistore({"-c", checked.file(), "get", "a:b"});
  CHECK(got.code == 2);
  CHECK(says(got.err, "ttl: expected"));
  CHECK(says(got.err, "mounts.a.options.size: expected"));
}

TEST_CASE("check, serve and a reload show no token that was written in a wrong form") {
  for (const char *tokens : {R"(["S3CRET-TOKEN"])", R"([{ "S3CRET-TOKEN": true }])"}) {
    INFO(tokens);
    const auto text = [](const std::string &more) {
      return R"({ "mounts": { "": { "driver": "memory" } }, "server": { "http": { "listen": "127.0.0.1:0" } },
        "admin": { "listen": "127.0.0.1:0" )" +
             more + " } }";
    };
    const std::string wrong = text(R"(, "tokens": )" + std::string(tokens));
    for (const Strings &more : {Strings{}, {"--json"}, {"--open"}}) {
      const Checked checked(wrong, more);
      CHECK(checked.result.code == 2);
      for (const Result &each : {checked.result, checked.served}) {
        CHECK_FALSE(says(each.out, "S3CRET"));
        CHECK_FALSE(says(each.err, "S3CRET"));
      }
    }
    const test::Folder folder;
    const std::string file = folder / "omnistore.jsonc";
    test::write_file(file, text(""));
    test::Host host(file);
    test::write_file(file + ".new", wrong);
    std::filesystem::rename(file + ".new", file); // in one step, as editors do
    for (const Strings &command : {Strings{"reload"}, {"reload", "--dry-run"}}) {
      Strings whole{"--url", host.url, "--admin-url", host.admin};
      whole.insert(whole.end(), command.begin(), command.end());
      const Result refused = test::omnistore(whole);
      CHECK(refused.code == 2);
      CHECK_FALSE(says(refused.err, "S3CRET"));
    }
    const Result stopped = host.stop();
    CHECK(says(stopped.err, "config not reloaded"));
    CHECK_FALSE(says(stopped.err, "S3CRET"));
  }
}
