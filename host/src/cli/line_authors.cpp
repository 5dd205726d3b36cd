// SPDX-License-Identifier: Apache-2.0
// The commands for authors of drivers.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_test_driver(CLI::App &command, Line &line) {
  command.footer(R"(Tries each rule of the contract (omnistore/driver.h) on a plugin, in a process of its own: a plugin
that crashes, hangs or ends the process breaks one rule. It does not try what the driver does not
claim. In --options, {folder} becomes a new folder and {id} a new word for each rule. A layer is opened
over the stores that --over names, in their order; without --over, over as many stores in memory as it
needs.

The exit code is 0 if every claim holds, and 7 if one does not.

Examples
  omnistore test-driver ./build/plugins/thing.so
  omnistore test-driver fs.so --options '{"base": "{folder}"}'
  omnistore test-driver cache.so --over memory --over 'fs {"base": "{folder}"}'
  omnistore test-driver thing.so --rule list-steady --seed 7
  gdb --args omnistore test-driver thing.so --rule model --here
  omnistore test-driver --list)");
  command.add_option("FILE", line.test_driver.file, "The plugin");
  command.add_option("--driver", line.test_driver.driver, "Test this driver of a plugin that has several")
      ->type_name("NAME");
  command.add_option("--options", line.test_driver.options, "Open its stores with these options")->type_name("JSON");
  command.add_option("--over", line.test_driver.over, "A store under a layer: a driver's name, and its options")
      ->type_name("STORE");
  command.add_option("--rule", line.test_driver.rules, "Try only this rule")->type_name("NAME");
  command.add_option("--seed", line.test_driver.seed, "Begin the random choices with N, which the summary prints")
      ->type_name("N");
  command.add_option("--jobs", line.test_driver.jobs, "Try N rules at a time (default: 2)")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  command.add_option("--junit", line.test_driver.junit, "Write the results to a file, as JUnit's XML")
      ->type_name("FILE");
  command.add_flag("--long", line.test_driver.longer, "Repeat ten times as often");
  command.add_flag("--all", line.test_driver.all, "Print the rules that hold or do not apply, too");
  command.add_flag("--here", line.test_driver.here, "Try the one --rule in this process, for a debugger");
  command.add_flag("--list", line.test_driver.list, "Print the rules, each with the sentence that it proves");
}

void fill_new_driver(CLI::App &command, Line &line) {
  command.footer(
      R"(Writes a project into a new folder: a driver that works, the schema of its options, a README, a build
and a CI file. It builds with `make` and passes `omnistore test-driver` as it is.

Examples
  omnistore new-driver my-store
  omnistore new-driver my-store --lang rust --folder ~/src/my-store
  omnistore new-driver my-layer --layer --lang c)");
  command.add_option("NAME", line.new_driver.name, "Its name in configs: a-z, 0-9 and -, a letter first")->required();
  command.add_option("--lang", line.new_driver.language, "The language: c, cpp or rust (default: cpp)")
      ->type_name("LANGUAGE")
      ->check(CLI::IsMember({"c", "cpp", "rust"}));
  command.add_flag("--layer", line.new_driver.layer, "Write a layer over another store");
  command.add_option("--folder", line.new_driver.folder, "The project's folder (default: NAME here)")->type_name("DIR");
}

void fill_dev(CLI::App &command, Line &line) {
  command.footer(
      R"(Serves one plugin's driver at "/" without a config, and logs each operation to standard error. When the
file changes, the driver is opened anew from it; a file that cannot be used leaves the old one open.
Relative paths in the options start here. Ctrl-C ends it.

Examples
  omnistore dev ./build/plugins/thing.so
  omnistore dev ./build/plugins/thing.so --options '{"base": "./data"}' --listen 127.0.0.1:7800
  omnistore dev ./build/plugins/layer.so --over memory
  gdb --args omnistore dev ./build/plugins/thing.so)");
  command.add_option("FILE", line.dev.file, "The plugin")->required();
  command.add_option("--driver", line.dev.driver, "Serve this driver of a plugin that has several")->type_name("NAME");
  command.add_option("--options", line.dev.options, "Open its store with these options")->type_name("JSON");
  command.add_option("--over", line.dev.over, "A store under a layer: a driver's name, and its options")
      ->type_name("STORE");
  command.add_option("--listen", line.dev.listen, "Listen here (default: 127.0.0.1 and a free port)")
      ->type_name("ADDRESS:PORT");
}

} // namespace

void add_authors(CLI::App &app, Line &line) {
  add(app, line, line.new_driver, "new-driver", "Write the project of a new driver", fill_new_driver);
  add(app, line, line.dev, "dev", "Serve one driver without a config, and reload it when it is built again", fill_dev);
  add(app, line, line.test_driver, "test-driver", "Try every rule of the contract on a plugin", fill_test_driver);
}

} // namespace omnistore::cli
