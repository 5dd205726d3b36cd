// SPDX-License-Identifier: Apache-2.0
// `omnistore doctor`: each fault of an installation has a line with its remedy.
#include <catch2/catch.hpp>

#include <boost/json/serialize.hpp>
#include <sys/stat.h>

#include "program.hpp"
#include "support/certificates.hpp"

using test::Result;
using test::says;

namespace {

/// The checks of an area, each as "state: message; remedy".
test::Strings checks(const boost::json::value &report, std::string_view area) {
  test::Strings result;
  for (const auto &check : report.at("checks").as_array()) {
    if (std::string(check.at("area").as_string()) != area) continue;
    std::string text = std::string(check.at("state").as_string()) + ": " + std::string(check.at("message").as_string());
    if (const auto *remedy = check.as_object().if_contains("remedy")) text += "; " + std::string(remedy->as_string());
    // A line without a remedy is one on which nothing is wrong.
    CHECK((text.starts_with("ok: ") == !check.as_object().contains("remedy")));
    result.push_back(std::move(text));
  }
  return result;
}

bool any_says(const test::Strings &lines, const std::string &part) {
  for (const std::string &line : lines)
    if (says(line, part)) return true;
  return false;
}

Result doctor(const std::string &config) { return test::omnistore({"--json", "-c", config, "doctor"}); }

} // namespace

TEST_CASE("doctor finds nothing wrong with an installation that is well") {
  const test::Place place;
  const Result result = doctor(place.config());
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  const auto report = result.json();
  CHECK(report.at("ok") == true);
  for (const char *area : {"program", "config", "plugins", "limits", "stores"}) {
    INFO(area);
    CHECK_FALSE(checks(report, area).empty());
  }
  CHECK(checks(report, "stores").size() == 3);
  const Result text = test::omnistore({"-c", place.config(), "doctor"});
  CHECK(text.code == 0);
  CHECK(says(text.out, "ok    config: " + place.config() + ": 3 mounts\n"));
}

TEST_CASE("doctor says when certificates end, and who can read their keys") {
  const test::Authority authority;
  const test::Folder folder;
  constexpr long day = 24 * 60 * 60;
  const auto look = [&](const std::string &name, long lasts, mode_t mode) {
    const test::Authority::Pair pair = authority.pair(name, "IP:127.0.0.1", lasts);
    REQUIRE(::chmod(pair.key.c_str(), mode) == 0);
    test::write_file(folder / "x.jsonc",
                     R"({ "mounts": { "": { "driver": "memory" } }, "admin": { "tls": { "certificate": ")" + pair.cert +
                         R"(", "key": ")" + pair.key + R"(" } } })");
    return doctor(folder / "x.jsonc");
  };
  const Result well = look("well", 30 * day, 0600);
  CHECK(well.code == 0);
  CHECK(any_says(checks(well.json(), "certificates"), "well.pem of admin is valid until "));
  CHECK(checks(well.json(), "secrets").empty());
  const Result soon = look("soon", 13 * day, 0644);
  CHECK(soon.code == 0);
  CHECK(any_says(checks(soon.json(), "certificates"), "warn: the certificate "));
  CHECK(any_says(checks(soon.json(), "secrets"), "soon.key can be read by other users"));
  const Result ended = look("ended", -60, 0640);
  CHECK(ended.code == 2);
  CHECK(any_says(checks(ended.json(), "certificates"), "fail: the certificate "));
  CHECK(any_says(checks(ended.json(), "certificates"), "ended on "));
  CHECK(checks(ended.json(), "secrets").empty());
}

TEST_CASE("doctor names each problem of a config") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", R"({ "mounts": { "": { "driver": "memroy" } }, "ttl": "soon" })");
  const Result result = doctor(folder / "x.jsonc");
  CHECK(result.code == 2);
  const auto lines = checks(result.json(), "config");
  CHECK(any_says(lines, "fail: mounts.\"\".driver"));
  CHECK(any_says(lines, "fail: ttl: "));
  CHECK(any_says(lines, "correct it in " + folder / "x.jsonc"));
}

TEST_CASE("doctor names a store that cannot be opened, and one that may be away") {
  const test::Folder folder;
  test::write_file(folder / "file", "in the way");
  const std::string config = R"({ "mounts": { "": { "driver": "memory" },
    "bad": { "driver": "fs", "options": { "base": ")" +
                             folder / "file" + R"(" }OPTIONAL } },
    "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })";
  for (const bool optional : {false, true}) {
    std::string text = config;
    text.replace(text.find("OPTIONAL"), 8, optional ? ", \"optional\": true" : "");
    test::write_file(folder / "x.jsonc", text);
    const Result result = doctor(folder / "x.jsonc");
    INFO(result.out << result.err);
    CHECK(result.code == (optional ? 0 : 2));
    CHECK(any_says(checks(result.json(), "stores"), std::string(optional ? "warn" : "fail") + ": mounts.bad"));
    CHECK(any_says(checks(result.json(), "stores"), "ok: mounts.\"\" opens"));
  }
}

TEST_CASE("doctor names files that other users can write, and secrets that they can read") {
  const test::Folder folder;
  test::write_file(folder / "secret", "0123456789");
  test::write_file(folder / "x.jsonc", R"({ "mounts": { "": { "driver": "memory" } }, "prefix": "${file:secret}",
    "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  REQUIRE(::chmod((folder / "secret").c_str(), 0644) == 0);
  REQUIRE(::chmod((folder / "x.jsonc").c_str(), 0666) == 0);
  const auto report = doctor(folder / "x.jsonc").json();
  CHECK(
      any_says(checks(report, "config"), "warn: " + folder / "x.jsonc" + " can be written by other users; chmod go-w"));
  CHECK(any_says(checks(report, "secrets"), "warn: " + folder / "secret" + " can be read by other users; chmod 600"));
  CHECK_FALSE(says(boost::json::serialize(report), "0123456789"));
}

TEST_CASE("doctor names a limit of open files that is too low, and a plugin that cannot be used") {
  const test::Place place;
  test::write_file(place.folder / "plugins/broken.so", "no plugin");
  const Result result = test::run_command(
      {"bash", "-c", "ulimit -n 500; exec \"$@\"", "bash", test::program(), "--json", "-c", place.config(), "doctor"},
      {.variables = {{"OMNISTORE_PLUGIN_PATH", place.folder / "plugins"}}});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK(any_says(checks(result.json(), "limits"), "warn: a process may open 500 files"));
  CHECK(any_says(checks(result.json(), "plugins"), "warn: " + place.folder / "plugins/broken.so"));
}

TEST_CASE("doctor looks at the host that runs with the config") {
  const test::Place place;
  const test::Host host(place.config());
  const Result result = test::omnistore({"--json", "-c", place.config(), "--admin-url", host.admin, "doctor"});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK(any_says(checks(result.json(), "host"), "ok: a host runs with " + place.config()));
  CHECK(any_says(checks(result.json(), "stores"), "ok: mount the root is open"));
}
