// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <regex>

#include <catch2/catch.hpp>

#include "program.hpp"

namespace {

/// The address after "http://" in what `serve` prints for people.
std::string address_in(const std::string &line) {
  std::smatch found;
  return std::regex_search(line, found, std::regex("http://[^ /\n]+")) ? found.str() : std::string();
}

} // namespace

TEST_CASE("No client can write a line of its own into the log that people read") {
  const test::Place place;
  test::Process process({test::program(), "-v", "-c", place.config(), "serve"}, {});
  std::vector<std::string> addresses;
  while (addresses.size() < 2)
    if (const std::string address = address_in(process.line()); !address.empty()) addresses.push_back(address);
  const std::string key = "mem:k\n2026-11-28T00:00:00.000Z error forged\x1b[31m\x7f\xc2\x9b";
  CHECK(test::omnistore({"--url", addresses[0], "set", key, "x"}).code == 0);
  test::omnistore({"--url", addresses[0], "--admin-url", addresses[1], "mount", "m\nforged\x1b[2J", "none\n\x1b"});
  ::kill(process.pid(), SIGTERM);
  const test::Result stopped = process.finish();
  const std::regex line_of_log("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z [a-z]+ +.*");
  CHECK(test::says(stopped.err, "k\\n2026-11-28T00:00:00.000Z error forged\\x1b[31m\\x7f\\u{009b}"));
  for (const std::string &line : test::lines(stopped.err)) {
    INFO(line);
    CHECK(std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    CHECK_FALSE(test::says(line, "\xc2\x9b"));
    CHECK((line.starts_with("  ") || std::regex_match(line, line_of_log)));
    CHECK_FALSE(line.starts_with("2026-11-28T00:00:00.000Z error forged"));
  }
}
