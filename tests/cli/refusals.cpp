// SPDX-License-Identifier: Apache-2.0
// Messages of failures: the command that was typed, the reason, and advice that fits it.
#include <catch2/catch.hpp>

#include "program.hpp"
#include "support/origin.hpp"
#include "support/redis_server.hpp"

using test::Result;
using test::says;
using test::Strings;

namespace {

/// A config of one mount.
std::string config_of(const test::Folder &folder, const std::string &mount, const std::string &listen = "") {
  test::write_file(folder / "omnistore.jsonc", R"({ "mounts": { "": )" + mount + R"( },
    "server": { "http": { "listen": "127.0.0.1:0")" +
                                                   listen + R"( } }, "admin": { "listen": "127.0.0.1:0" } })");
  return folder / "omnistore.jsonc";
}

} // namespace

TEST_CASE("Through a host each command that fails is named as it was typed, with the store's reason") {
  const test::Folder folder;
  test::RedisServer redis;
  test::Host host(config_of(folder, R"({ "driver": "redis", "options": { "url": ")" + redis.url() + "\" } }"));
  redis.kill();
  for (const Strings &command : {Strings{"has", "k"},
                                 {"meta", "k"},
                                 {"get", "k"},
                                 {"set", "k", "v"},
                                 {"touch", "k", "--ttl", "1h"},
                                 {"ls", "k"},
                                 {"clear", "k"},
                                 {"rm", "k"}}) {
    Strings arguments{"--url", host.url};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const Result result = test::omnistore(arguments);
    INFO(command[0] << ": " << result.err);
    CHECK(result.code == 6);
    CHECK(result.err.starts_with("omnistore: " + command[0] + " k"));
    CHECK(says(result.err, "refused"));
    CHECK(says(result.err, "driver redis"));
  }
}

TEST_CASE("Advice on a token comes if a token is the cause, and fits the host's message") {
  const test::Folder folder;
  test::Host host(
      config_of(folder, R"({ "driver": "memory" })",
                R"(, "tokens": [{ "value": "whole", "write": true }, { "value": "reader", "bases": ["a"] }])"));
  const auto asked = [&](const Strings &more) {
    Strings arguments{"--url", host.url};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result result = test::omnistore(arguments);
    CHECK(result.code == 3);
    return result.err;
  };
  CHECK(says(asked({"has", "k"}), "give a token with --token"));
  CHECK(says(asked({"--token", "other", "has", "k"}), "check the token"));
  CHECK(says(asked({"--token", "reader", "has", "b:k"}), "give a token that may do this"));
  CHECK(says(asked({"--token", "reader", "set", "a:k", "v"}), "give a token that may do this"));
}

TEST_CASE("A refusal by Redis, by another server or by the filesystem is not put down to a token of the host") {
  const test::Folder folder;
  test::RedisServer redis({"--requirepass", "right"});
  test::Origin origin;
  origin.handle([](const test::Origin::Request &) {
    test::Origin::Answer refused;
    refused.status = 403;
    return std::optional(refused);
  });
  const auto advice = [&](const std::string &mount) {
    const Result result = test::omnistore({"-c", config_of(folder, mount), "get", "k"});
    INFO(result.err);
    CHECK(result.code == 3);
    CHECK_FALSE(says(result.err, "OMNISTORE_TOKEN"));
    return result.err;
  };
  CHECK(says(advice(R"({ "driver": "redis", "options": { "url": ")" + redis.url() + "\" } }"), "in the option `url`"));
  CHECK(says(advice(R"({ "driver": "redis", "options": { "url": ")" + redis.url(0, "u:wrong@") + "\" } }"),
             "in the option `url`"));
  CHECK(says(advice(R"({ "driver": "http", "options": { "base": ")" + origin.url() + "\" } }"), "`headers`"));
  std::filesystem::create_directories(folder.path() / "data");
  std::filesystem::create_symlink("/etc/hostname", folder.path() / "data/k");
  advice(R"({ "driver": "fs", "options": { "base": ")" + (folder / "data") + "\" } }");
  if (::geteuid() == 0) return; // whom no permission stops
  std::filesystem::remove(folder.path() / "data/k");
  test::write_file(folder / "data/k", "v");
  std::filesystem::permissions(folder.path() / "data/k", std::filesystem::perms::none);
  const std::string refused = advice(R"({ "driver": "fs", "options": { "base": ")" + (folder / "data") + "\" } }");
  CHECK(says(refused, "needs permission for that file"));
  CHECK(says(refused, "k: Permission denied"));
}

TEST_CASE("The command line, a list, a config and a host refuse a ttl that is too long as such") {
  const test::Place place;
  test::Host host(place.config());
  const auto wrong = [](const Strings &arguments, const std::string &input = "") {
    const Result result = test::omnistore(arguments, {.input = input});
    INFO(result.err);
    CHECK(result.code == 2);
    CHECK(says(result.err, "too long"));
  };
  const std::string line = R"({"key":"mem:k","value":"v","ttl":"100000000d"})"
                           "\n";
  for (const Strings &where : {Strings{"-c", place.config()}, Strings{"--url", host.url}}) {
    const auto with = [&](Strings arguments) {
      arguments.insert(arguments.begin(), where.begin(), where.end());
      return arguments;
    };
    wrong(with({"set", "mem:k", "v", "--ttl", "100000000d"}));
    wrong(with({"touch", "mem:k", "--ttl", "1000000000000001"}));
    wrong(with({"set", "--from", "-"}), line);
    CHECK(test::omnistore(with({"set", "mem:k", "v", "--ttl", "11574074d"})).code == 0);
  }
  test::write_file(place.folder / "long.jsonc", R"({ "mounts": { "": { "driver": "memory", "ttl": "100000000d" } } })");
  wrong({"-c", place.folder / "long.jsonc", "get", "k"});
}

TEST_CASE("mounts shows a store that takes no writes as read-only, whatever the cause") {
  const test::Place place;
  const Result result = test::omnistore({"-c", place.config(), "mounts"});
  for (const std::string &line : test::lines(result.out)) CHECK(says(line, "read-only") == line.starts_with("fixed:"));
}

TEST_CASE("mount reports the mounted store, and names no line of a JSON that nobody wrote") {
  const test::Place place;
  test::Host host(place.config());
  const auto running = [&](Strings arguments) {
    arguments.insert(arguments.begin(), {"--url", host.url, "--admin-url", host.admin});
    return test::omnistore(arguments);
  };
  CHECK(says(running({"mount", "m", "memory"}).out, "mounted m: memory 1."));
  CHECK(says(running({"mount", "m", "memory"}).out, "in place of"));
  CHECK(says(running({"unmount", "m"}).out, "unmounted m:"));
  for (const Strings &wrong : {Strings{"mount", "m", "memroy"},
                               {"mount", "m", "memory", "-o", "sise=1"},
                               {"mount", "m", "memory", "-o", "size=many"},
                               {"mount", "m", R"({"drivr": "memory"})"}}) {
    const Result result = running(wrong);
    INFO(result.err);
    CHECK(result.code == 2);
    CHECK_FALSE(says(result.err, "line 1"));
    CHECK_FALSE(says(result.err, "column"));
  }
}
