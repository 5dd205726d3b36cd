// SPDX-License-Identifier: Apache-2.0
// Secrets that a config takes from files: nothing shows them, and they are read again when they change.
#include <catch2/catch.hpp>

#include "program.hpp"
#include "server/client.hpp"

using test::Result;
using test::says;

namespace {

constexpr const char *secret = "s3cret-of-a-file";
constexpr const char *key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

bool shows_secret(const std::string &text) { return says(text, secret) || says(text, key); }

/// A config whose token, option and password of a URL are in files. The options of `memory` are not secret.
struct SecretPlace {
  test::Folder folder;

  SecretPlace() {
    test::write_file(folder / "secret", std::string(secret) + "\n");
    test::write_file(folder / "keys", "a " + std::string(key) + "\n");
    test::write_file(folder / "omnistore.jsonc", R"({
      "mounts": {
        "": { "driver": "memory" },
        "box": { "driver": "encrypt", "options": { "keys": "${file:keys}" },
                 "layers": [{ "driver": "memory" }], "optional": true },
        "cold": { "driver": "redis", "options": { "url": "redis://:${file:secret}@127.0.0.1:1" }, "optional": true },
        "http": { "driver": "http", "options": { "base": "http://127.0.0.1:1/${file:secret}" }, "optional": true },
      },
      "server": { "http": { "listen": "127.0.0.1:0" } },
      "admin": { "listen": "127.0.0.1:0", "tokens": [{ "value": "${file:secret}", "write": true }] },
    })");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
};

} // namespace

TEST_CASE("A secret from a file is shown by no command, no page of the host, and not in its log") {
  const SecretPlace place;
  test::Host host(place.config(), {}, {"-vv"});
  const std::string command_line = test::read_file("/proc/" + std::to_string(host.process().pid()) + "/cmdline");
  const std::string environment = test::read_file("/proc/" + std::to_string(host.process().pid()) + "/environ");
  CHECK_FALSE(shows_secret(command_line + environment));
  for (const char *path : {"/mounts", "/stats", "/drivers", "/metrics", "/reload", "/health", "/ready"}) {
    INFO(path);
    test::Client admin(host.admin.substr(7));
    const auto response = admin.ask("GET", path, {}, std::string("Authorization: Bearer ") + secret + "\r\n");
    CHECK(response.status < 400);
    CHECK_FALSE(shows_secret(response.body));
  }
  const test::Strings there{"--url", host.url, "--admin-url", host.admin, "--token", secret};
  for (test::Strings words : {test::Strings{"get", "cold:x"},
                              {"get", "http:x"},
                              {"set", "cold:x", "v"},
                              {"mounts"},
                              {"-c", place.config(), "get", "http:x"},
                              {"-c", place.config(), "get", "cold:x"},
                              {"-c", place.config(), "--json", "get", "http:x"},
                              {"-c", place.config(), "mounts"},
                              {"-c", place.config(), "check"},
                              {"-c", place.config(), "check", "--open"},
                              {"-c", place.config(), "dump", "-o", "-"}}) {
    if (words[0] != "-c") words.insert(words.begin(), there.begin(), there.end());
    const Result result = test::omnistore(words);
    INFO(result.out << result.err);
    CHECK_FALSE(shows_secret(result.out + result.err));
  }
  const Result stopped = host.stop();
  INFO(stopped.err);
  CHECK(stopped.code == 0);
  CHECK_FALSE(shows_secret(stopped.err));
}

TEST_CASE("A file that is missing is reported with its line and column") {
  const SecretPlace place;
  std::filesystem::remove(place.folder.path() / "keys");
  const Result checked = test::omnistore({"-c", place.config(), "check"});
  INFO(checked.err);
  CHECK(checked.code == 2);
  CHECK(says(checked.err, "mounts.box.options.keys: the file " + place.folder / "keys" +
                              " cannot be read: No such file or directory (line 4, column"));
}

TEST_CASE("A host reloads when a file that its config takes in changes") {
  const test::Folder folder;
  test::write_file(folder / "size", "10");
  test::write_file(folder / "omnistore.jsonc", R"({
    "mounts": { "": { "driver": "memory" }, "f": { "driver": "fs", "options": { "base": "${file:size}" } } },
    "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  test::Host host(folder / "omnistore.jsonc");
  test::write_file(folder / "next", "20");
  std::filesystem::rename(folder.path() / "next", folder.path() / "size");
  std::string line;
  while (!says(line, "config reloaded")) line = host.process().error_line();
  CHECK(says(line, folder / "size" + " changed"));
  CHECK(says(line, "mount f"));
  CHECK(test::omnistore({"--url", host.url, "set", "f:k", "v"}).code == 0);
  CHECK(std::filesystem::exists(folder.path() / "20" / "k"));
  CHECK(host.stop().code == 0);
}
