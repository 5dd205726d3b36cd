// SPDX-License-Identifier: Apache-2.0
// What all commands are read into. A group of commands has a function that adds them to the parser, in a file of its
// own (line_*.cpp); main.cpp calls them.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "config/formats.hpp"

namespace omnistore::cli {

/// What all commands are read into, and the one that was chosen.
struct Line {
  Global global;
  Serve serve;
  Check check;
  Get get;
  Set set;
  Has has;
  Remove remove;
  Touch touch;
  ShowMeta meta;
  List list;
  Clear clear;
  ShowEvents events;
  Mounts mounts;
  Drivers drivers;
  ReloadConfig reload;
  MountStore mount;
  Unmount unmount;
  ShowStats stats;
  Top top;
  Inspect inspect;
  Explain explain;
  std::string shell; ///< that completions are for
  CopyKeys copy;
  MigrateKeys migrate;
  VerifyKeys verify;
  DumpKeys dump;
  RestoreKeys restore;
  std::function<int()> action;
};

template <class Options>
CLI::App *add(CLI::App &app, Line &line, const Options &options, const char *name, const char *summary,
              const std::string &rest) {
  CLI::App *command = app.add_subcommand(name, summary);
  command->footer(rest);
  command->callback([&line, &options] { line.action = [&] { return run(line.global, options); }; });
  return command;
}

inline std::chrono::milliseconds duration_of(const std::string &text, const char *option = "--ttl") {
  std::int64_t milliseconds = 0;
  if (!config::parse_duration(text, milliseconds))
    throw CLI::ValidationError(std::string(option) + ": expected a duration such as 90s, 5m, 1h or 7d, found " + text);
  return std::chrono::milliseconds(milliseconds);
}

void add_running(CLI::App &app, Line &line);
void add_monitoring(CLI::App &app, Line &line);
void add_inspection(CLI::App &app, Line &line); // line_inspect.cpp
void add_completion(CLI::App &app, Line &line); // line_completion.cpp
void add_jobs(CLI::App &app, Line &line);

} // namespace omnistore::cli
