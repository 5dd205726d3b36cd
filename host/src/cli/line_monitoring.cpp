// SPDX-License-Identifier: Apache-2.0
// The commands that show the state of a running host.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_stats(CLI::App &command, Line &line) {
  command.footer(
      R"(Prints the counters since each store was opened, also for the stores below layers: reads, hits,
writes, errors by kind, bytes, evictions, expiries, refreshes, operations under way, and how long
operations took. With --watch it prints the rates per second since the last look; Ctrl-C ends it.

The host is the one that runs with this config, or that of --url.

Examples
  omnistore stats
  omnistore stats shared --watch 5s
  omnistore --json stats --watch --count 10)");
  command.add_option("MOUNTPOINT", line.stats.mountpoint, "Print only this mount");
  command
      .add_option_function<std::vector<std::string>>(
          "--watch",
          [&](const std::vector<std::string> &given) {
            const std::string text = given.empty() || given[0].empty() ? "2s" : given[0];
            line.stats.every = duration_of(text, "--watch");
            if (line.stats.every.count() == 0) throw CLI::ValidationError("--watch: expected more than 0");
          },
          "Look again after each DURATION (default: 2s)")
      ->type_name("[DURATION]")
      ->expected(0, 1);
  command.add_option("--count", line.stats.count, "End after N looks")->type_name("N")->check(CLI::PositiveNumber);
}

void fill_top(CLI::App &command, Line &line) {
  command.footer(R"(On a terminal it uses one screen; otherwise it prints one look after the other. Ctrl-C ends it.

Examples
  omnistore top
  omnistore top --delay 500ms
  omnistore --url http://127.0.0.1:7700 top --count 1)");
  command
      .add_option_function<std::string>(
          "-d,--delay",
          [&](const std::string &text) {
            line.top.every = duration_of(text, "--delay");
            if (line.top.every.count() == 0) throw CLI::ValidationError("--delay: expected more than 0");
          },
          "Look again after each DURATION (default: 2s)")
      ->type_name("DURATION");
  command.add_option("-n,--count", line.top.count, "End after N looks")->type_name("N")->check(CLI::PositiveNumber);
}

} // namespace

void add_monitoring(CLI::App &app, Line &line) {
  add(app, line, line.stats, "stats", "Print the running host's counters, mount by mount", fill_stats);
  add(app, line, line.top, "top", "Show the running host's busiest mounts", fill_top);
}

} // namespace omnistore::cli
