// SPDX-License-Identifier: Apache-2.0
// The commands that tell how a running host does.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_stats(CLI::App &command, Line &line) {
  command.footer(
      R"(Since each store was opened, with the stores below layers: reads, hits, writes, errors by kind, bytes,
what was evicted, expired and refreshed, operations under way, and how long operations took. With
--watch the same a second, since the look before; Ctrl-C ends it.

The host is the one that runs with this config, or that of --url.

Examples
  omnistore stats
  omnistore stats shared --watch 5s
  omnistore --json stats --watch --count 10)");
  command.add_option("MOUNTPOINT", line.stats.mountpoint, "Only this mount");
  command
      .add_option_function<std::vector<std::string>>(
          "--watch",
          [&](const std::vector<std::string> &given) {
            const std::string text = given.empty() || given[0].empty() ? "2s" : given[0];
            line.stats.every = duration_of(text, "--watch");
            if (line.stats.every.count() == 0) throw CLI::ValidationError("--watch: 0 is no time between two looks");
          },
          "Look again so often, 2s if no time is given")
      ->type_name("[DURATION]")
      ->expected(0, 1);
  command.add_option("--count", line.stats.count, "End after so many looks")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void fill_top(CLI::App &command, Line &line) {
  command.footer(R"(On a terminal it keeps to one screen; else each look follows the one before. Ctrl-C ends it.

Examples
  omnistore top
  omnistore top --delay 500ms
  omnistore --url http://127.0.0.1:7700 top --count 1)");
  command
      .add_option_function<std::string>(
          "-d,--delay",
          [&](const std::string &text) {
            line.top.every = duration_of(text, "--delay");
            if (line.top.every.count() == 0) throw CLI::ValidationError("--delay: 0 is no time between two looks");
          },
          "Look again so often; 2s")
      ->type_name("DURATION");
  command.add_option("-n,--count", line.top.count, "End after so many looks")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

} // namespace

void add_monitoring(CLI::App &app, Line &line) {
  add(app, line, line.stats, "stats", "Print what the running host has counted, mount by mount", fill_stats);
  add(app, line, line.top, "top", "Show the running host's busiest mounts, a second", fill_top);
}

} // namespace omnistore::cli
