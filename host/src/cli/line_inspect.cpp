// SPDX-License-Identifier: Apache-2.0
// What looks into a storage: inspect, explain.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_inspect(CLI::App &command, Line &line) {
  command.footer(R"(Of each key when it expires, the beginning of its value (JSON as JSON, text as text, bytes as hex),
its size, its age, its mount, and the layer of that mount which answers. The first keys come at once,
then how many more there are, and with which --cursor one goes on. Through --url the mount and the
layer come from the host's admin listener, and are "-" where that does not answer.

--tree shows folders in place of keys: how many keys each has, and how large their values are in all.

Examples
  omnistore inspect
  omnistore inspect wayback: --limit 50
  omnistore inspect --tree --depth 3 --sort size
  omnistore --json inspect user
      {"key":"user:1","meta":{"size":3,...},"age":1200,"mount":"","layer":{"driver":"memory","place":[]},
       "preview":{"kind":"text","text":"Ada","cut":false}}
      {"keys":1,"shown":1,"more":0,"cursor":null})");
  command.add_option("BASE", line.inspect.base, "Only keys under it");
  command
      .add_option("--limit", line.inspect.limit,
                  "At most so many keys, else 20; with --tree: folders of each folder, the first ones of the order")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--preview", line.inspect.preview, "So many characters of each value, else 50; 0: none")
      ->type_name("N")
      ->check(CLI::Range(0, 100'000));
  add_null(command, line.inspect.null);
  auto *tree = command.add_flag("--tree", line.inspect.tree, "Folders of keys, with counts and sizes")->excludes("-0");
  command.add_option("--cursor", line.inspect.cursor, "Go on where an earlier one stopped, which told this")
      ->type_name("CURSOR")
      ->excludes(tree);
  command.add_flag("!--no-count", line.inspect.count, "Do not count the keys that are not shown")->excludes(tree);
  command.add_option("--depth", line.inspect.depth, "Of the tree: so many folders deep, else 2")
      ->type_name("N")
      ->check(CLI::Range(0, 100))
      ->needs(tree);
  command.add_option("--sort", line.inspect.order, "Of the tree: by name, or the most keys or bytes first")
      ->type_name("ORDER")
      ->check(CLI::IsMember({"name", "keys", "size"}))
      ->needs(tree);
  command.add_flag("!--no-sizes", line.inspect.sizes, "Of the tree: without sizes, which is faster")->needs(tree);
}

void fill_explain(CLI::App &command, Line &line) {
  command.footer(
      R"(Does a get of the value's first byte, which counts and refreshes as any other, and tells which stores
it asked, what each answered, and the time in each with those below it. Of a cache: how old the copy
was that the get met. The exit code is that of a get: 1 where there is no such key. With --url this asks
the host's admin listener.

Examples
  omnistore explain user:1
  omnistore --json --url http://127.0.0.1:7700 explain user:1)");
  command.add_option("KEY", line.explain.key)->required();
}

} // namespace

void add_inspection(CLI::App &app, Line &line) {
  add(app, line, line.inspect, "inspect", "Show what there is: keys with expiry, value, size, age, mount and layer",
      fill_inspect);
  add(app, line, line.explain, "explain",
      "Tell where a key leads: mount, layers, who answers, how old it is, how long it took", fill_explain);
}

} // namespace omnistore::cli
