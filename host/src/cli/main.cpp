// SPDX-License-Identifier: Apache-2.0
// The command line: what was typed becomes plain options (options.hpp), which a command is run with.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "cli/failure.hpp"
#include "cli/line.hpp"
#include "cli/output.hpp"
#include "config/schema.hpp"

namespace omnistore::cli {
namespace {

constexpr const char *about = R"(A storage host: driver plugins mounted into one key space.

Keys look like a:b:c ('/' works too). Values go to standard output byte for byte, messages to
standard error. Commands work on the stores of a config, opened here, or with --url on a host
that runs.)";

constexpr const char *closing = R"(Exit codes
  0 done   1 no such key   2 a bad key, argument or config, or a value that is too large
  3 denied or read-only   4 a condition did not hold   5 the driver cannot   6 not reachable or
  too slow   7 the store failed   130 Ctrl-C   141 standard output was closed

JSON (--json)
  Results are one JSON object a line on standard output, failures one on standard error:
  {"error": {"status", "message", "next"}}, for a config with "problems". A value is "value"
  where it is UTF-8, else "base64". Meta is {"size", "mtime", "expiry", "etag", "user"}: bytes,
  Unix milliseconds, and null for what is not known or not set.

Run `omnistore COMMAND --help` for examples.)";

void add_globals(CLI::App &app, Global &global) {
  app.add_option("-c,--config", global.config,
                 "The config; else omnistore.jsonc here, in the user's config folder, or in /etc/omnistore")
      ->type_name("FILE");
  app.add_option("--profile", global.profile, "The config's profile; else OMNISTORE_PROFILE")->type_name("NAME");
  app.add_option("--url", global.url, "Work on the host that runs there; else OMNISTORE_URL")->type_name("URL");
  app.add_option("--admin-url", global.admin,
                 "Its admin listener; else OMNISTORE_ADMIN_URL, else one port higher than the URL")
      ->type_name("URL");
  app.add_option("--token", global.token, "What the host wants to see; else OMNISTORE_TOKEN")->type_name("TEXT");
  app.add_flag("--json", global.json, "Results and failures as JSON");
  app.add_flag("-q,--quiet", global.quiet, "Less: no notes, only errors in the log");
  app.add_flag("-v,--verbose", global.verbose, "More: debug messages in the log; -vv: all of it");
}

void add_values(CLI::App &app, Line &line) {
  auto *get =
      add(app, line, line.get, "get", "Print a value, or those of many keys",
          R"(One key's value is printed byte for byte. Those of several keys, or of --from, are a JSON line each,
in the order asked; what fails is told on standard error, and the rest goes on. A line of --from is a
key, or JSON: a string, or an object with "key".

Examples
  omnistore get user:1
  omnistore get images/logo.png -o logo.png
  omnistore get logs/today --range -1000
  omnistore get user:1 user:2
  omnistore ls user | omnistore get --from -
  omnistore --json get user:1
      {"key":"user:1","value":"Ada","meta":{"size":3,...}})");
  get->add_option("KEY", line.get.keys);
  get->add_option("--from", line.get.from, "Read keys from a file, one a line; -: from standard input")
      ->type_name("FILE");
  get->add_option_function<std::string>(
         "--range",
         [&](const std::string &text) {
           line.get.range = server::parse_range("bytes=" + text);
           if (!line.get.range)
             throw CLI::ValidationError("--range: expected bytes as 0-99, 100- or -50, found " + text);
         },
         "Only a part of it: from the first byte to the last, counted from 0; 100-: to the end; -50: the last 50")
      ->type_name("A-B");
  get->add_option("-o,--output", line.get.output, "Write it to a file, which is replaced when all of it is there")
      ->type_name("FILE");

  auto *set = add(app, line, line.set, "set", "Store a value",
                  R"(The value is the argument, or a file's, or what comes through a pipe. Put -- in front of one
that begins with '-'. A long one goes piece by piece, and an older value stands until all of it has
come. A line of --from is {"key": "a", "value": "text"}, or "base64" in place of "value", and may have
a "ttl"; what fails is told on standard error, and the rest goes on. Durations are 100ms, 90s, 5m, 1h, 7d, or a number of milliseconds.

Examples
  omnistore set user:1 Ada
  omnistore set session:9 token --ttl 5m
  omnistore set images/logo.png -f logo.png
  tar c src | omnistore set backup:src -f -
  omnistore set lock mine --if-absent && echo got it
  omnistore set user:1 Grace --if-match "$ETAG"
  omnistore set number -- -5
  omnistore get --from keys | omnistore --url http://127.0.0.1:7700 set --from -)");
  set->add_option("KEY", line.set.key);
  auto *value = set->add_option_function<std::string>("VALUE", [&](const std::string &text) { line.set.value = text; });
  set->add_option("-f,--file", line.set.file, "Read the value from a file; -: from standard input")
      ->type_name("FILE")
      ->excludes(value);
  set->add_option("--from", line.set.from, "Read keys and values from a file, a JSON line each; -: from standard input")
      ->type_name("FILE");
  set->add_option_function<std::string>(
         "--ttl", [&](const std::string &text) { line.set.ttl = duration_of(text); },
         "How long it lives, in place of the mount's; 0: for ever")
      ->type_name("DURATION");
  auto *absent = set->add_flag_callback(
      "--if-absent",
      [&] {
        line.set.condition = {Condition::Kind::if_absent, {}};
      },
      "Only where there is no such key");
  auto *present = set->add_flag_callback(
      "--if-present",
      [&] {
        line.set.condition = {Condition::Kind::if_present, {}};
      },
      "Only where there is one");
  auto *match = set->add_option_function<std::string>(
      "--if-match",
      [&](const std::string &etag) {
        line.set.condition = {Condition::Kind::if_match, etag};
      },
      "Only where its etag is this one");
  match->type_name("ETAG")->excludes(absent)->excludes(present);
  absent->excludes(present);

  add(app, line, line.has, "has", "Tell by the exit code whether there is a key: 0 or 1", R"(Examples
  omnistore has user:1 && echo there)")
      ->add_option("KEY", line.has.key)
      ->required();

  auto *remove = add(app, line, line.remove, "rm", "Remove keys", R"(A key that is not there is no failure.

Examples
  omnistore rm user:1 user:2
  omnistore ls session | omnistore rm --from -)");
  remove->add_option("KEY", line.remove.keys);
  remove->add_option("--from", line.remove.from, "Read keys from a file, one a line; -: from standard input")
      ->type_name("FILE");

  auto *touch = add(app, line, line.touch, "touch", "Give a value another ttl", R"(Examples
  omnistore touch session:9 --ttl 5m
  omnistore touch session:9 --ttl 0)");
  touch->add_option("KEY", line.touch.key)->required();
  touch
      ->add_option_function<std::string>(
          "--ttl", [&](const std::string &text) { line.touch.ttl = duration_of(text); },
          "How long it lives from now on; 0: for ever")
      ->type_name("DURATION")
      ->required();

  add(app, line, line.meta, "meta", "Print what is known of a value: size, times, etag",
      R"(Times are to the millisecond; through --url to the second.

Examples
  omnistore meta user:1
  omnistore --json meta user:1)")
      ->add_option("KEY", line.meta.key)
      ->required();
}

void add_keys(CLI::App &app, Line &line) {
  auto *list =
      add(app, line, line.list, "ls", "List keys, one a line",
          R"(Keys come as they are read, a page at a time: a long listing starts at once and needs little memory.

Examples
  omnistore ls
  omnistore ls user --depth 0
  omnistore ls --limit 10 --long
  omnistore --json ls user)");
  list->add_option("BASE", line.list.base, "Only keys under it");
  list->add_option("--depth", line.list.depth, "Only keys with at most so many ':' behind the base")->type_name("N");
  list->add_option("--limit", line.list.limit, "At most so many keys")->type_name("N")->check(CLI::PositiveNumber);
  list->add_flag("-l,--long", line.list.details, "With size, time of the last change, and expiry");

  auto *clear = add(app, line, line.clear, "clear", "Remove every key under a base",
                    R"(Asks first on a terminal. The empty base, which is everything, needs -y.

Examples
  omnistore clear user
  omnistore clear session -y
  omnistore clear -y)");
  clear->add_option("BASE", line.clear.base);
  clear->add_flag("-y,--yes", line.clear.yes, "Do not ask");

  auto *watch =
      add(app, line, line.events, "watch", "Print changes as they happen, one a line",
          R"(Of everything, of a key and the keys under it, or of those under a base alone (user:). Each line has
the time, update or remove, the key, and why it went: removed, expired, evicted or cleared. "resync"
says that some were lost, as where they come faster than they are read. Ctrl-C and SIGTERM end it
with 0.

With --url every change made through that host is told, and after a break of the connection it goes
on where it was. On a config it tells what other programs change, where the driver can see that.

Examples
  omnistore watch
  omnistore watch user --count 10
  omnistore --json --url http://127.0.0.1:7700 watch session:
      {"sequence":17,"type":"remove","key":"session:9","cause":"expired","missed":null})");
  watch->add_option("BASE", line.events.base);
  watch->add_option("--count", line.events.count, "End after so many")->type_name("N")->check(CLI::PositiveNumber);
}

void add_host(CLI::App &app, Line &line) {
  add(app, line, line.serve, "serve", "Serve the config's stores over HTTP",
      R"(Prints where it listens. SIGTERM and Ctrl-C finish what is in flight; a second one stops at once.

Examples
  omnistore serve
  omnistore -c config/default.jsonc serve
  omnistore --profile test --json serve)");

  auto *check = add(app, line, line.check, "check", "Look for everything that is wrong in a config",
                    R"(Opens no store; loads the drivers, whose schemas the options are held to. Exit code 0 or 2.

--diff tells what a reload would add, keep, replace and remove: in the host that runs with this config,
or, with another config's file, in one that runs with that.

Examples
  omnistore check
  omnistore -c other.jsonc --profile production check
  omnistore check --diff
  omnistore -c new.jsonc check --diff old.jsonc
  omnistore check --schema > omnistore.schema.json)");
  check->add_flag("--schema", line.check.schema, "Print the JSON Schema of configs instead, for editors");
  check
      ->add_option_function<std::vector<std::string>>(
          "--diff",
          [&](const std::vector<std::string> &files) {
            line.check.diff = true;
            line.check.from = files.empty() ? "" : files[0];
          },
          "What a reload would change, in the running host or in one with that config")
      ->type_name("[FILE]")
      ->expected(0, 1);

  add(app, line, line.mounts, "mounts", "List the mounts, with the tree of their layers", R"(Examples
  omnistore mounts
  omnistore --json --url http://127.0.0.1:7700 mounts)");

  add(app, line, line.drivers, "drivers", "List the drivers, or print one's manual",
      R"(With the plugins that cannot be used, and why. Of each driver: what it does natively, what the host
emulates for it, and what it cannot do.

Examples
  omnistore drivers
  omnistore drivers fs)")
      ->add_option("NAME", line.drivers.name, "Print the manual of this driver's options");
}

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

/// What the environment says holds where the command line says nothing. A config that was named is meant to be opened,
/// and so is one that is served or checked.
void add_environment(Global &global, bool opens) {
  if (!global.config.empty() && !global.url.empty())
    throw Failure(Status::invalid, "--config and --url were both given", "leave one of them out");
  if (!opens && global.config.empty() && global.url.empty()) global.url = variable("OMNISTORE_URL");
  if (global.admin.empty()) global.admin = variable("OMNISTORE_ADMIN_URL");
  if (global.token.empty()) global.token = variable("OMNISTORE_TOKEN");
}

[[noreturn]] void refuse_extras(const CLI::App &app, const std::vector<std::string> &extras) {
  const std::vector<CLI::App *> chosen = app.get_subcommands();
  const std::string help = "`omnistore " + (chosen.empty() ? "" : chosen[0]->get_name() + " ") + "--help` tells more";
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

/// Both words behind --rewrite get a character in front, so that the parser takes neither "[a,b]" for a list nor "-"
/// for an option. Who reads the option takes it off.
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

/// The line as the parser wants it, last word first. It would take "[a,b]" for a list of two words where there may be
/// several, which is among the keys of rm and get: a '/' in front changes no key, and keeps it whole.
std::vector<std::string> words_of(int argc, char **argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto takes_value = [](const std::string &word) {
    return word == "-c" || word == "--config" || word == "--profile" || word == "--url" || word == "--admin-url" ||
           word == "--token";
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

int parse_and_run(CLI::App &app, Line &line, int argc, char **argv) {
  try {
    app.parse(words_of(argc, argv));
  } catch (const CLI::Success &) { // --help or --version
    throw;
  } catch (const CLI::ParseError &error) {
    const std::vector<CLI::App *> chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : chosen[0]->get_name();
    throw Failure(Status::invalid, (name.empty() ? "" : name + ": ") + error.what(),
                  "`omnistore " + (name.empty() ? "" : name + " ") + "--help` tells more");
  }
  std::vector<std::string> extras = app.remaining(true);
  std::erase(extras, "--");
  if (!extras.empty()) refuse_extras(app, extras);
  if (!line.action) {
    std::cerr << app.help();
    return exit_code(Status::invalid);
  }
  add_environment(line.global, app.got_subcommand("serve") || (app.got_subcommand("check") && !line.check.diff));
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
  for (int i = 1; i < argc; ++i) // a line that cannot be read has to be told as JSON too
    if (std::string_view(argv[i]) == "--json") line.global.json = true;
  add_globals(app, line.global);
  add_values(app, line);
  add_keys(app, line);
  add_host(app, line);
  add_running(app, line);
  add_monitoring(app, line);
  add_inspection(app, line);
  add_completion(app, line);
  add_jobs(app, line);
  app.allow_extras(); // they are told of with more words than the parser has
  try {
    return parse_and_run(app, line, argc, argv);
  } catch (const CLI::Success &success) {
    return app.exit(success);
  } catch (const ClosedPipe &) {
    return closed_pipe_code;
  } catch (const std::exception &failure) {
    return report(line.global, failure);
  }
}

} // namespace
} // namespace omnistore::cli

int main(int argc, char **argv) {
  std::signal(SIGPIPE, SIG_IGN); // a reader that goes away is told by write's result, in plugins too
  return omnistore::cli::run_program(argc, argv);
}
