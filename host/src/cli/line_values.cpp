// SPDX-License-Identifier: Apache-2.0
// The commands on single keys.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_get(CLI::App &command, Line &line) {
  command.footer(
      R"(Prints one key's value byte for byte. For several keys, or --from, it prints a JSON line each, in the
order given. If a key fails, standard error has the reason, and the others go on. A line of --from is
a key as `omnistore ls` prints it, or a JSON object with "key". If it begins with '"' it is a JSON string.

Examples
  omnistore get user:1
  omnistore get images/logo.png -o logo.png
  omnistore get logs/today --range -1000
  omnistore get user:1 user:2
  omnistore ls user | omnistore get --from -
  omnistore ls -0 user | omnistore get -0 --from -
  omnistore --json get user:1
      {"key":"user:1","value":"Ada","meta":{"size":3,...}})");
  command.add_option("KEY", line.get.keys);
  command.add_option("--from", line.get.from, "Read keys from a file, one a line; - is standard input")
      ->type_name("FILE");
  add_null_from(command, line.get.null);
  command
      .add_option_function<std::string>(
          "--range",
          [&](const std::string &text) {
            line.get.range = http::parse_range("bytes=" + text);
            if (!line.get.range)
              throw CLI::ValidationError("--range: expected bytes such as 0-99, 100- or -50, found " + text);
          },
          "Print only bytes A to B, counted from 0; 100- goes to the end, -50 is the last 50")
      ->type_name("A-B");
  command
      .add_option(
          "-o,--output", line.get.output,
          "Write it to a file, which is replaced after the last byte has come. Only its owner can read a new one")
      ->type_name("FILE");
}

void fill_set(CLI::App &command, Line &line) {
  command.footer(R"(The value is the argument, or the contents of a file or a pipe. Put -- before a value that begins
with '-'. A long value goes piece by piece, and the old one stays until all of it has come. A line of
--from is {"key": "a", "value": "text"}, or has "base64" in place of "value", and may have a "ttl". If
a key fails, standard error has the reason, and the others go on. A duration is 100ms, 90s, 5m, 1h, 7d,
or a number of milliseconds.

Examples
  omnistore set user:1 Ada
  omnistore set session:9 token --ttl 5m
  omnistore set images/logo.png -f logo.png
  tar c src | omnistore set backup:src -f -
  omnistore set lock mine --if-absent && echo got it
  omnistore set user:1 Grace --if-match "$ETAG"
  omnistore set number -- -5
  omnistore get --from keys | omnistore --url http://127.0.0.1:7700 set --from -)");
  command.add_option("KEY", line.set.key);
  auto *value =
      command.add_option_function<std::string>("VALUE", [&](const std::string &text) { line.set.value = text; });
  command.add_option("-f,--file", line.set.file, "Read the value from a file; - is standard input")
      ->type_name("FILE")
      ->excludes(value);
  command
      .add_option("--from", line.set.from, "Read keys and values from a file, a JSON line each; - is standard input")
      ->type_name("FILE");
  command
      .add_option_function<std::string>(
          "--ttl", [&](const std::string &text) { line.set.ttl = duration_of(text); },
          "Keep the value for so long, in place of the mount's ttl; 0 is for ever")
      ->type_name("DURATION");
  auto *absent = command.add_flag_callback(
      "--if-absent",
      [&] {
        line.set.condition = {Condition::Kind::if_absent, {}};
      },
      "Set only if there is no such key");
  auto *present = command.add_flag_callback(
      "--if-present",
      [&] {
        line.set.condition = {Condition::Kind::if_present, {}};
      },
      "Set only if there is such a key");
  auto *match = command.add_option_function<std::string>(
      "--if-match",
      [&](const std::string &etag) {
        line.set.condition = {Condition::Kind::if_match, etag};
      },
      "Set only if the value has this etag");
  match->type_name("ETAG")->excludes(absent)->excludes(present);
  absent->excludes(present);
}

void fill_has(CLI::App &command, Line &line) {
  command.footer(R"(Examples
  omnistore has user:1 && echo there)");
  command.add_option("KEY", line.has.key)->required();
}

void fill_remove(CLI::App &command, Line &line) {
  command.footer(
      R"(It is no failure if a key does not exist. A line of --from is a key as `omnistore ls` prints it, or a
JSON object with "key". If it begins with '"' it is a JSON string.

Examples
  omnistore rm user:1 user:2
  omnistore ls session | omnistore rm --from -
  omnistore ls -0 session | xargs -0 omnistore rm --)");
  command.add_option("KEY", line.remove.keys);
  command.add_option("--from", line.remove.from, "Read keys from a file, one a line; - is standard input")
      ->type_name("FILE");
  add_null_from(command, line.remove.null);
}

void fill_touch(CLI::App &command, Line &line) {
  command.footer(R"(Examples
  omnistore touch session:9 --ttl 5m
  omnistore touch session:9 --ttl 0)");
  command.add_option("KEY", line.touch.key)->required();
  command
      .add_option_function<std::string>(
          "--ttl", [&](const std::string &text) { line.touch.ttl = duration_of(text); },
          "Keep the value for so long from now on; 0 is for ever")
      ->type_name("DURATION")
      ->required();
}

void fill_meta(CLI::App &command, Line &line) {
  command.footer(R"(Times are exact to the millisecond, or with --url to the second.

Examples
  omnistore meta user:1
  omnistore --json meta user:1)");
  command.add_option("KEY", line.meta.key)->required();
}

} // namespace

void add_values(CLI::App &app, Line &line) {
  add(app, line, line.get, "get", "Print a value, or those of many keys", fill_get);
  add(app, line, line.set, "set", "Store a value", fill_set);
  add(app, line, line.has, "has", "Exit with 0 if there is a key, or with 1", fill_has);
  add(app, line, line.remove, "rm", "Remove keys", fill_remove);
  add(app, line, line.touch, "touch", "Give a value another ttl", fill_touch);
  add(app, line, line.meta, "meta", "Print the size, times and etag of a value", fill_meta);
}

} // namespace omnistore::cli
