// SPDX-License-Identifier: Apache-2.0
// The program: it parses the command line into plain options (options.hpp) and runs the command with them.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <sstream>

#include "cli/crash.hpp"
#include "cli/failure.hpp"
#include "cli/job_run.hpp"
#include "cli/line.hpp"
#include "cli/log.hpp"
#include "cli/output.hpp"
#include "cli/streams.hpp"
#include "cli/time_limit.hpp"
#include "config/schema.hpp"

namespace omnistore::cli {
namespace {

constexpr const char *about = R"(A storage host: driver plugins mounted into one key space.

Keys look like a:b:c ('/' works too). Values go to standard output byte for byte, messages to
standard error. Commands open the stores of a config, or work on a running host with --url.)";

constexpr const char *closing = R"(Exit codes
  0 done   1 no such key   2 a bad key, argument or config, or a value that is too large
  3 denied or read-only   4 a condition did not hold   5 the driver cannot do it   6 not reachable
  or too slow, or a host whose stop was cut off   7 the store failed   130 Ctrl-C
  141 standard output was closed

JSON (--json)
  Results are one JSON object a line on standard output, failures one on standard error:
  {"error": {"status", "message", "next"}}, for a config with "problems". A value is "value"
  if it is UTF-8, and "base64" if it is not. Meta is {"size", "mtime", "expiry", "etag", "user"}:
  bytes, Unix milliseconds, and null if it is not known or not set.

Run `omnistore COMMAND --help` for examples.)";

void add_globals(CLI::App &app, Global &global) {
  app.add_option(
         "-c,--config", global.config,
         "The config, or - for standard input (default: omnistore.jsonc here, in the user's config folder, or in "
         "/etc/omnistore). Relative paths in it start at its folder")
      ->type_name("FILE");
  app.add_option("--profile", global.profile, "The config's profile (default: OMNISTORE_PROFILE)")->type_name("NAME");
  app.add_option(
         "--url", global.url,
         "Work on the host that runs there: http://HOST:PORT, https://HOST:PORT or unix:/PATH (default: OMNISTORE_URL)")
      ->type_name("URL");
  app.add_option("--admin-url", global.admin,
                 "The host's admin listener (default: OMNISTORE_ADMIN_URL, or one port higher than --url)")
      ->type_name("URL");
  app.add_option("--token", global.token, "The token for the host (default: OMNISTORE_TOKEN)")->type_name("TEXT");
  app.add_option("--ca", global.ca, "Check the certificate of an https host against those in FILE (PEM)")
      ->type_name("FILE");
  app.add_option("--cert", global.certificate, "Present the certificate in FILE (PEM) to an https host")
      ->type_name("FILE");
  app.add_option("--key", global.key, "The private key for --cert (default: it is in the same file)")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--timeout",
         [&global](const std::string &text) {
           global.timeout = duration_of(text, "--timeout");
           if (global.timeout.count() == 0) throw CLI::ValidationError("--timeout: expected more than 0");
         },
         "Give up after so long: 500ms, 5s, 2m. The exit code is then 6, and the message names the call that "
         "hangs; a write may still take place")
      ->type_name("DURATION");
  app.add_flag("--json", global.json, "Results and failures as JSON");
  app.add_flag("-q,--quiet", global.quiet, "Print less: no notes, and only errors in the log");
  app.add_flag("-v,--verbose", global.verbose, "Print more: debug messages in the log; -vv prints all");
}

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// Takes from the environment what the command line leaves out. A config that was named is opened, and so is one that
/// is served or checked.
void add_environment(Global &global, bool opens) {
  if (!global.config.empty() && !global.url.empty())
    throw Failure(Status::invalid, "--config and --url were both given", "leave one of them out");
  if (!opens && global.config.empty() && global.url.empty()) global.url = variable("OMNISTORE_URL");
  if (global.admin.empty()) global.admin = variable("OMNISTORE_ADMIN_URL");
  if (global.token.empty()) global.token = variable("OMNISTORE_TOKEN");
}

[[noreturn]] void refuse_extras(const CLI::App &app, const std::vector<std::string> &extras) {
  const std::vector<CLI::App *> chosen = app.get_subcommands();
  const std::string help = "`omnistore " + (chosen.empty() ? "" : chosen[0]->get_name() + " ") + "--help` says more";
  if (!chosen.empty() || extras[0].starts_with("-"))
    throw Failure(Status::invalid, (chosen.empty() ? "" : chosen[0]->get_name() + ": ") + "unexpected " + extras[0],
                  help);
  std::vector<std::string> names;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; }))
    names.push_back(command->get_name());
  const std::string near = config::nearest(extras[0], names);
  throw Failure(Status::invalid, "there is no command " + extras[0] + (near.empty() ? "" : "; is " + near + " meant?"),
                help);
}

/// Puts a character before both words after --rewrite, so that the parser takes neither "[a,b]" for a list nor "-" for
/// an option. The reader of the option takes it off.
void protect_rewrites(std::vector<std::string> &words) {
  constexpr std::string_view with_value = "--rewrite=";
  for (std::size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
    if (words[at].starts_with(with_value)) {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words[at].substr(with_value.size()));
      words[at] = "--rewrite";
    }
    if (words[at] != "--rewrite") continue;
    for (std::size_t behind = at + 1; behind < std::min(at + 3, words.size()); ++behind)
      words[behind].insert(0, 1, '=');
    at += 2;
  }
}

/// Returns the line in the parser's form, last word first. Among the keys of rm and get the parser would take "[a,b]"
/// for a list of two words: a '/' before it changes no key, and keeps it whole.
std::vector<std::string> words_of(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto takes_value = [](const std::string &word) {
    return word == "-c" || word == "--config" || word == "--profile" || word == "--url" || word == "--admin-url" ||
           word == "--token" || word == "--ca" || word == "--cert" || word == "--key" || word == "--timeout";
  };
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-')) at += takes_value(words[at]) ? 2 : 1;
  if (at < words.size() && (words[at] == "rm" || words[at] == "get"))
    for (; at < words.size(); ++at)
      if (words[at].starts_with('[') && words[at].ends_with(']')) words[at].insert(0, 1, '/');
  protect_rewrites(words);
  std::reverse(words.begin(), words.end());
  return words;
}

TimeLimit::Command limited_command(const std::string &name, const Line &line) {
  const auto is_one_of = [&name](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return {name, is_one_of({"set", "rm", "touch", "clear", "copy", "migrate", "restore", "mount", "unmount", "reload"}),
          is_one_of({"get", "has", "meta", "ls", "explain", "inspect"}) && line.get.output.empty()};
}

int parse_and_run(CLI::App &app, Line &line, int argc, char **argv) {
  try {
    app.parse(words_of(argc, argv));
  } catch (const CLI::Success &success) { // --help or --version
    std::ostringstream text;
    app.exit(success, text, text);
    Output out;
    out.write(text.str());
    out.flush();
    return 0;
  } catch (const CLI::ParseError &error) {
    const std::vector<CLI::App *> chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : chosen[0]->get_name();
    throw Failure(Status::invalid, (name.empty() ? "" : name + ": ") + error.what(),
                  "`omnistore " + (name.empty() ? "" : name + " ") + "--help` says more");
  }
  std::vector<std::string> extras = app.remaining(true);
  std::erase(extras, "--");
  if (!extras.empty()) refuse_extras(app, extras);
  if (!line.action) {
    std::cerr << app.help();
    return exit_code(Status::invalid);
  }
  const std::string command = app.get_subcommands().at(0)->get_name();
  line.global.command = command;
  const bool serves = command == "serve" || command == "dev";
  if (serves && line.global.timeout.count() != 0)
    throw Failure(Status::invalid, command + ": --timeout is for commands that end by themselves", "leave it out");
  const bool opens = serves || command == "plugins" || command == "man" || command == "doctor" ||
                     (command == "check" && !line.check.diff) || (command == "drivers" && !line.drivers.file.empty());
  add_environment(line.global, opens);
  const TimeLimit limit(line.global, limited_command(command, line));
  return line.action();
}

int run_program(int argc, char **argv) {
  CLI::App app(about, "omnistore");
  app.footer(closing);
  app.set_version_flag("--version", OMNISTORE_VERSION, "Print the version");
  app.require_subcommand(0, 1);
  app.fallthrough();
  Line line;
  line.global.program = argv[0];
  for (int i = 1; i < argc; ++i) // an error in the line is reported as JSON too
    if (std::string_view(argv[i]) == "--json") line.global.json = true;
  start_log({}, line.global); // messages that come before a config is read go to standard error too
  add_globals(app, line.global);
  add_values(app, line);
  add_keys(app, line);
  add_config(app, line);
  add_authors(app, line);
  add_running(app, line);
  add_monitoring(app, line);
  add_inspection(app, line);
  add_completion(app, line);
  add_manual(app, line);
  add_jobs(app, line);
  app.allow_extras(); // refuse_extras() has more words for them than the parser
  try {
    return parse_and_run(app, line, argc, argv);
  } catch (const ClosedPipe &) {
    return closed_pipe_code;
  } catch (const Stopped &) { // nobody reads the rest
    return stopped_code();
  } catch (const std::exception &failure) {
    return report(line.global, failure);
  }
}

} // namespace
} // namespace omnistore::cli

int main(int argc, char **argv) {
  omnistore::cli::open_streams();
  // Both are reported by the write that fails, in plugins too: a reader has gone away, or a file has reached the limit
  // on the size of files.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  // A parent may have ignored it. Then waitpid() does not return how a child ended.
  std::signal(SIGCHLD, SIG_DFL);
  omnistore::cli::keep_results();
  omnistore::cli::report_crashes();
  return omnistore::cli::run_program(argc, argv);
}
