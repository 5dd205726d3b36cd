// SPDX-License-Identifier: Apache-2.0
// The command line as data. A group of commands has a function that adds them to the parser, in a file of its own
// (line_*.cpp); main.cpp calls them. A command gets its options when the parser meets it: those of the others would
// only take time at each start.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "config/formats.hpp"

namespace omnistore::cli {

/// The options of all commands, and the command that was chosen.
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
  Plugins plugins;
  TestDriver test_driver;
  NewDriver new_driver;
  Dev dev;
  ReloadConfig reload;
  Login login;
  MountStore mount;
  MakeToken token;
  Unmount unmount;
  ShowStats stats;
  Top top;
  Inspect inspect;
  Explain explain;
  std::string shell; ///< the one that completions are for
  Man man;
  Doctor doctor;
  CopyKeys copy;
  MigrateKeys migrate;
  VerifyKeys verify;
  DumpKeys dump;
  RestoreKeys restore;
  std::function<int()> action;
  std::map<CLI::App *, void (*)(CLI::App &, Line &)> fillers; ///< of the commands that have no options yet
};

/// Gives a command its options, unless it has them.
inline void fill(CLI::App *command, Line &line) {
  if (const auto filler = line.fillers.extract(command)) filler.mapped()(*command, line);
}

inline CLI::App *add(CLI::App &app, Line &line, const char *name, const char *summary,
                     void (*filler)(CLI::App &, Line &)) {
  CLI::App *command = app.add_subcommand(name, summary);
  line.fillers[command] = filler;
  command->preparse_callback([command, &line](std::size_t) { fill(command, line); });
  return command;
}

/// Adds a command that is run with its options. The filler gives it the options, and the rest of its help as its
/// footer.
template <class Options>
void add(CLI::App &app, Line &line, const Options &options, const char *name, const char *summary,
         void (*filler)(CLI::App &, Line &)) {
  add(app, line, name, summary, filler)->callback([&line, &options] {
    line.action = [&] { return run(line.global, options); };
  });
}

inline std::chrono::milliseconds duration_of(const std::string &text, const char *option = "--ttl") {
  std::int64_t milliseconds = 0;
  if (const std::string wrong = config::read_ttl(text, 1, milliseconds); !wrong.empty())
    throw CLI::ValidationError(std::string(option) + ": " + wrong);
  return std::chrono::milliseconds(milliseconds);
}

/// For a command that prints keys.
inline void add_null(CLI::App &command, bool &null) {
  command.add_flag("-0,--null", null, "Print only keys, with a NUL after each, as xargs -0 takes them");
}
/// For a command that reads keys with --from.
inline void add_null_from(CLI::App &command, bool &null) {
  command.add_flag("-0,--null", null, "Take the keys of --from as they are, with a NUL after each")->needs("--from");
}

void add_values(CLI::App &app, Line &line);
void add_keys(CLI::App &app, Line &line);
void add_config(CLI::App &app, Line &line);
void add_authors(CLI::App &app, Line &line);
void add_running(CLI::App &app, Line &line);
void add_monitoring(CLI::App &app, Line &line);
void add_inspection(CLI::App &app, Line &line); // line_inspect.cpp
void add_completion(CLI::App &app, Line &line); // line_completion.cpp
void add_manual(CLI::App &app, Line &line);     // line_manual.cpp
void add_jobs(CLI::App &app, Line &line);

/// Returns what the parser knows of all commands and options.
Completed read_line(CLI::App &app, Line &line);

} // namespace omnistore::cli
