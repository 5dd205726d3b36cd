// SPDX-License-Identifier: Apache-2.0
// The commands on a config.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_serve(CLI::App &command, Line &) {
  command.footer(
      R"(Prints the addresses on which it listens. On SIGTERM or Ctrl-C it finishes the requests in flight and
ends; a second signal ends it at once.

Examples
  omnistore serve
  omnistore -c config/default.jsonc serve
  omnistore --profile test --json serve)");
}

void fill_check(CLI::App &command, Line &line) {
  command.footer(R"(Lists everything that serve would refuse. It opens no store; it loads the drivers, which check their
options. With --open it also opens each store and listener and closes it again. Exit code 0 or 2.

--diff prints what a reload would add, keep, replace and remove in the host that runs with this config,
or in a host that runs with FILE.

Examples
  omnistore check
  omnistore -c other.jsonc --profile production check
  omnistore check --open
  omnistore check --diff
  omnistore -c new.jsonc check --diff old.jsonc
  omnistore check --schema > omnistore.schema.json)");
  command.add_flag("--schema", line.check.schema, "Print the JSON Schema of configs, for editors");
  command.add_flag("--open", line.check.open, "Also open the stores and listeners, and close them");
  command
      .add_option_function<std::vector<std::string>>(
          "--diff",
          [&](const std::vector<std::string> &files) {
            line.check.diff = true;
            line.check.from = files.empty() ? "" : files[0];
          },
          "Print what a reload would change in the running host, or in one with that config")
      ->type_name("[FILE]")
      ->expected(0, 1);
}

void fill_doctor(CLI::App &command, Line &) {
  command.footer(
      R"(Looks at the program, the config, the secrets and the plugins, at the limits, the clock and the memory of
this machine, and at the stores, which it opens and closes again. If a host runs with this config, it looks
at that host in place of the stores. Each line is ok, warn or fail; the last two come with a remedy.

Exit code 0 if nothing failed, else 2.

Examples
  omnistore doctor
  omnistore -c /etc/omnistore/omnistore.jsonc doctor
  omnistore --json doctor)");
}

void fill_mounts(CLI::App &command, Line &) {
  command.footer(R"(Examples
  omnistore mounts
  omnistore --json --url http://127.0.0.1:7700 mounts)");
}

void fill_drivers(CLI::App &command, Line &line) {
  command.footer(R"(Lists the capabilities of each driver: native, emulated by the host, or missing. Then it lists the
plugins that cannot be used, and why.

--file describes one plugin file: its versions, ABI, SHA-256, the libraries that it needs, and the
traits, limits and options of each driver. It reads no config and opens no store. It loads the file,
first in a process of its own. The exit code is 2 if the file, or a driver in it, cannot be used.

Examples
  omnistore drivers
  omnistore drivers fs
  omnistore drivers --file ./build/plugins/thing.so
  omnistore --json drivers --file thing.so)");
  command.add_option("NAME", line.drivers.name, "Print the manual of this driver's options");
  command.add_option("--file", line.drivers.file, "Describe the drivers in this plugin file")->type_name("FILE");
}

void fill_token(CLI::App &command, Line &line) {
  command.footer(
      R"(`new` makes a token and prints it, once. `hash` reads one from standard input, which begins with the name
and a dot. Both make a line for the token file of a listener, tokenFile in the config. The line has the
token's hash and not the token. A host that runs takes the change at once, so that a token is replaced
without a restart: add a new one, give it to the client, and remove the line of the old one.

Examples
  omnistore token new backup --file /etc/omnistore/tokens
  omnistore token new ci --write --base builds --expires 90d
  omnistore token hash ci --write < token.txt)");
  command.add_option("ACTION", line.token.action, "What to do: new or hash")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"new", "hash"}));
  command.add_option("NAME", line.token.name, "Its name, for logs: letters, digits, '-' and '_'")->required();
  command.add_option("--file", line.token.file, "Add the line to this token file (default: print it)")
      ->type_name("FILE");
  command.add_flag("--write", line.token.write, "The token allows writes");
  command.add_option("--base", line.token.bases, "The token is for the keys under BASE alone; may be repeated")
      ->type_name("BASE")
      ->allow_extra_args(false);
  command
      .add_option_function<std::string>(
          "--expires", [&](const std::string &text) { line.token.life = duration_of(text, "--expires"); },
          "The token ends after DURATION (default: never)")
      ->type_name("DURATION");
}

void fill_plugins(CLI::App &command, Line &line) {
  command.footer(
      R"(list shows the plugin files that are found, each with its SHA-256 and its state in the lock file:
locked, added, changed, missing or unusable. Without a lock file it is unlocked.

lock writes the lock file with every plugin that can be used. It loads them, so run it only if you trust
them. verify compares the files with the lock and loads none. The exit code is 0, or 2 with the
differences.

A host obeys the lock file that its config names: "plugins": {"lock": "omnistore.lock"}. It refuses a
plugin that differs from the lock or is not in it, before it loads the file, and looks again when the
lock changes.

Examples
  omnistore plugins list
  omnistore plugins lock
  omnistore -c host.jsonc plugins lock --lock trusted.lock
  omnistore --json plugins verify)");
  command.add_option("ACTION", line.plugins.action, "What to do: list, lock or verify (default: list)")
      ->check(CLI::IsMember({"list", "lock", "verify"}));
  command
      .add_option("--lock", line.plugins.lock,
                  "The lock file (default: the config's, or omnistore.lock beside the config)")
      ->type_name("FILE");
}

} // namespace

void add_config(CLI::App &app, Line &line) {
  add(app, line, line.serve, "serve", "Serve the config's stores over HTTP", fill_serve);
  add(app, line, line.check, "check", "Report everything that is wrong in a config", fill_check);
  add(app, line, line.doctor, "doctor", "Report what is wrong with this installation", fill_doctor);
  add(app, line, line.mounts, "mounts", "List the mounts, with the tree of their layers", fill_mounts);
  add(app, line, line.token, "token", "Make a token for the clients of a host", fill_token);
  add(app, line, line.plugins, "plugins", "List, lock and verify the plugin files", fill_plugins);
  add(app, line, line.drivers, "drivers", "List the drivers, or print one's manual", fill_drivers);
}

} // namespace omnistore::cli
