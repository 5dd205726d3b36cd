// SPDX-License-Identifier: Apache-2.0
// The README's commands, as they stand there. scripts/package --try runs those of the installation.
#include <catch2/catch.hpp>

#include <sstream>

#include "program.hpp"
#include "support/certificates.hpp"

namespace {

/// Returns the text between "```KIND" and the closing fence.
std::string block(const std::string &kind) {
  const std::string readme = test::read_file(OMNISTORE_SOURCE "/README.md");
  const std::string fence = "```" + kind + "\n";
  const std::size_t begin = readme.find(fence);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = readme.find("\n```", begin);
  REQUIRE(end != std::string::npos);
  return readme.substr(begin + fence.size(), end + 1 - begin - fence.size());
}

/// The lines that the tour says come out.
test::Strings promised(const std::string &commands) {
  test::Strings result;
  std::istringstream lines(commands);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("#> ")) result.push_back(line.substr(3));
  return result;
}

void check_promised(const std::string &commands, const std::string &output) {
  const test::Strings expected = promised(commands);
  std::istringstream said(output);
  std::size_t met = 0;
  for (std::string line; met < expected.size() && std::getline(said, line);)
    if (line == expected[met]) ++met;
  INFO("not said, or not in its place: " << (met < expected.size() ? expected[met] : ""));
  CHECK(met == expected.size());
}

void replace(std::string &text, const std::string &what, const std::string &with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), with);
}

} // namespace

TEST_CASE("Every command of the README's tour has the README's output") {
  const test::Folder folder;
  const test::Setting here{.folder = folder.path().string()};
  std::string config = test::read_file(OMNISTORE_SOURCE "/config/default.jsonc");
  replace(config, "\"127.0.0.1:7700\"", "\"127.0.0.1:0\"");
  replace(config, "\"127.0.0.1:7701\"", "\"127.0.0.1:0\"");
  test::write_file(folder.path() / "config" / "default.jsonc", config);
  std::filesystem::create_directories(folder.path() / "build");
  std::filesystem::create_directory_symlink(OMNISTORE_BUILD, folder.path() / "build" / "release");
  test::Host host("config/default.jsonc", here);

  const std::string commands = block("sh tour");
  const test::Setting guest{.folder = here.folder,
                            .variables = {{"OMNISTORE_URL", host.url}, {"OMNISTORE_ADMIN_URL", host.admin}}};
  const test::Result result = test::run_command({"bash", "-euo", "pipefail", "-c", commands}, guest);
  INFO(result.out << result.err);
  CHECK(result.code == 0);

  CHECK(promised(commands).size() > 5);
  check_promised(commands, result.out);
  CHECK(host.stop().code == 0);

  // The root mount of the default config lasts.
  test::Host tomorrow("config/default.jsonc", here);
  const test::Setting then{.folder = here.folder, .variables = {{"OMNISTORE_URL", tomorrow.url}}};
  CHECK(test::omnistore({"get", "blobs/noise"}, then).out == test::read_file(folder.path() / "noise"));
  CHECK(tomorrow.stop().code == 0);
}

TEST_CASE("The README's config for a network serves over TLS, with a token, limits and logs") {
  const test::Folder folder;
  const test::Authority authority;
  const test::Authority::Pair pair = authority.pair("host", "IP:127.0.0.1");
  const test::Setting here{.folder = folder.path().string()};
  const std::string token = test::omnistore({"token", "new", "backup", "--write", "--file", "tokens"}, here).out;
  std::string fields = block("jsonc");
  replace(fields, "0.0.0.0:7700", "127.0.0.1:0");
  replace(fields, "/etc/omnistore/tokens", folder / "tokens");
  replace(fields, "/etc/omnistore/host.pem", pair.cert);
  replace(fields, "/etc/omnistore/host.key", pair.key);
  replace(fields, "/var/log/omnistore/access.log", folder / "access.log");
  replace(fields, "/var/log/omnistore/audit.log", folder / "audit.log");
  test::write_file(folder / "omnistore.jsonc", "{ \"plugins\": { \"paths\": [\"" OMNISTORE_BUILD "/plugins\"] },\n"
                                               "\"mounts\": { \"\": { \"driver\": \"memory\" } },\n"
                                               "\"admin\": { \"listen\": \"127.0.0.1:0\" },\n" +
                                                   fields + "}\n");
  test::Host host(folder / "omnistore.jsonc");
  REQUIRE(host.url.starts_with("https://"));
  const test::Strings to{"--url", host.url, "--ca", authority.ca()};
  const auto run = [&](test::Strings command) {
    command.insert(command.begin(), to.begin(), to.end());
    return test::omnistore(command);
  };
  CHECK(run({"ls"}).code == 3);
  const std::string value = token.substr(0, token.size() - 1);
  CHECK(run({"--token", value, "set", "greeting", "hello"}).code == 0);
  CHECK(run({"--token", value, "get", "greeting"}).out == "hello");
  CHECK(host.stop().code == 0);
  CHECK(test::says(test::read_file(folder / "access.log"), " backup ["));
  CHECK(test::says(test::read_file(folder / "audit.log"), "\"identity\":\"backup\""));
}

TEST_CASE("Every command of the README's chapter on production runs and has the README's output") {
  const test::Folder folder;
  std::filesystem::create_directories(folder.path() / "config");
  std::filesystem::create_directory_symlink(OMNISTORE_SOURCE "/config/monitoring", folder.path() / "config/monitoring");
  std::string config = test::read_file(OMNISTORE_SOURCE "/config/systemd/omnistore.jsonc");
  replace(config, "\"127.0.0.1:7700\"", "\"127.0.0.1:0\"");
  replace(config, "\"127.0.0.1:7701\"", "\"127.0.0.1:0\"");
  replace(config, "/var/lib/omnistore/data", folder / "data");
  test::write_file(folder / "omnistore.jsonc", config);
  test::Host host(folder / "omnistore.jsonc");

  const std::string commands = block("sh production");
  const test::Setting operators{.folder = folder.path().string(),
                                .variables = {{"PATH", OMNISTORE_BUILD "/bin:" + std::string(std::getenv("PATH"))},
                                              {"OMNISTORE_CONFIG", folder / "omnistore.jsonc"},
                                              {"OMNISTORE_ADMIN_URL", host.admin}}};
  const test::Result result = test::run_command({"bash", "-euo", "pipefail", "-c", commands}, operators);
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  check_promised(commands, result.out);
  CHECK(host.stop().code == 0);
}
