// SPDX-License-Identifier: Apache-2.0
// The commands that look into a storage: inspect, explain.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_inspect(CLI::App &command, Line &line) {
  command.footer(
      R"(Shows for each key its expiry, the beginning of its value (JSON as JSON, text as text, bytes as hex),
its size, its age, its mount, and the layer of that mount which has it. The first keys come at once,
then the number of further keys, and the --cursor that continues the listing. With --url the mount and
the layer come from the host's admin listener, and are "-" if it cannot be reached.

--tree shows folders in place of keys: how many keys each has, and how large their values are in all.

Examples
  omnistore inspect
  omnistore inspect wayback: --limit 50
  omnistore inspect --tree --depth 3 --sort size
  omnistore --json inspect user
      {"key":"user:1","meta":{"size":3,...},"age":1200,"mount":"","layer":{"driver":"memory","place":[]},
       "preview":{"kind":"text","text":"Ada","cut":false}}
      {"keys":1,"shown":1,"more":0,"cursor":null})");
  command.add_option("BASE", line.inspect.base, "Show only the keys under it");
  command
      .add_option("--limit", line.inspect.limit,
                  "Show at most N keys (default: 20); with --tree at most N folders of each folder")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--preview", line.inspect.preview, "Show N characters of each value (default: 50); 0 shows none")
      ->type_name("N")
      ->check(CLI::Range(0, 100'000));
  add_null(command, line.inspect.null);
  auto *tree =
      command.add_flag("--tree", line.inspect.tree, "Show folders of keys, with counts and sizes")->excludes("-0");
  command.add_option("--cursor", line.inspect.cursor, "Continue the listing that printed this cursor")
      ->type_name("CURSOR")
      ->excludes(tree);
  command.add_flag("!--no-count", line.inspect.count, "Do not count the keys that are not shown")->excludes(tree);
  command.add_option("--depth", line.inspect.depth, "Show the tree N folders deep (default: 2)")
      ->type_name("N")
      ->check(CLI::Range(0, 100))
      ->needs(tree);
  command.add_option("--sort", line.inspect.order, "Sort the tree by name, or the most keys or bytes first")
      ->type_name("ORDER")
      ->check(CLI::IsMember({"name", "keys", "size"}))
      ->needs(tree);
  command.add_flag("!--no-sizes", line.inspect.sizes, "Show the tree without sizes, which is faster")->needs(tree);
}

void fill_explain(CLI::App &command, Line &line) {
  command.footer(
      R"(Gets the value's first byte, which counts and refreshes like any other get, and prints the stores on
its way, the outcome in each, and the time in each and the stores below it. For a cache it prints the
age of the copy that the get met. The exit code is that of a get: 1 if there is no such key. With --url
it uses the host's admin listener.

Examples
  omnistore explain user:1
  omnistore --json --url http://127.0.0.1:7700 explain user:1)");
  command.add_option("KEY", line.explain.key)->required();
}

} // namespace

void add_inspection(CLI::App &app, Line &line) {
  add(app, line, line.inspect, "inspect", "Show keys with expiry, value, size, age, mount and layer", fill_inspect);
  add(app, line, line.explain, "explain", "Show which mount and layers a get of a key meets, and how long each takes",
      fill_explain);
}

} // namespace omnistore::cli
