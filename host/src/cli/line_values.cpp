// SPDX-License-Identifier: Apache-2.0
// The commands on keys that are named.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_get(CLI::App &command, Line &line) {
  command.footer(R"(One key's value is printed byte for byte. Those of several keys, or of --from, are a JSON line each,
in the order asked; what fails is told on standard error, and the rest goes on. A line of --from is a
key as `omnistore ls` prints it, or a JSON object with "key": a line that begins with '"' is a JSON string.

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
  command.add_option("--from", line.get.from, "Read keys from a file, one a line; -: from standard input")
      ->type_name("FILE");
  add_null_from(command, line.get.null);
  command
      .add_option_function<std::string>(
          "--range",
          [&](const std::string &text) {
            line.get.range = http::parse_range("bytes=" + text);
            if (!line.get.range)
              throw CLI::ValidationError("--range: expected bytes as 0-99, 100- or -50, found " + text);
          },
          "Only a part of it: from the first byte to the last, counted from 0; 100-: to the end; -50: the last 50")
      ->type_name("A-B");
  command
      .add_option(
          "-o,--output", line.get.output,
          "Write it to a file, which is replaced when all of it is there. A new one is readable by its owner alone")
      ->type_name("FILE");
}

void fill_set(CLI::App &command, Line &line) {
  command.footer(R"(The value is the argument, or a file's, or what comes through a pipe. Put -- in front of one
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
  command.add_option("KEY", line.set.key);
  auto *value =
      command.add_option_function<std::string>("VALUE", [&](const std::string &text) { line.set.value = text; });
  command.add_option("-f,--file", line.set.file, "Read the value from a file; -: from standard input")
      ->type_name("FILE")
      ->excludes(value);
  command
      .add_option("--from", line.set.from, "Read keys and values from a file, a JSON line each; -: from standard input")
      ->type_name("FILE");
  command
      .add_option_function<std::string>(
          "--ttl", [&](const std::string &text) { line.set.ttl = duration_of(text); },
          "How long it lives, in place of the mount's; 0: for ever")
      ->type_name("DURATION");
  auto *absent = command.add_flag_callback(
      "--if-absent",
      [&] {
        line.set.condition = {Condition::Kind::if_absent, {}};
      },
      "Only where there is no such key");
  auto *present = command.add_flag_callback(
      "--if-present",
      [&] {
        line.set.condition = {Condition::Kind::if_present, {}};
      },
      "Only where there is one");
  auto *match = command.add_option_function<std::string>(
      "--if-match",
      [&](const std::string &etag) {
        line.set.condition = {Condition::Kind::if_match, etag};
      },
      "Only where its etag is this one");
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
      R"(A key that is not there is no failure. A line of --from is a key as `omnistore ls` prints it, or a JSON
object with "key": a line that begins with '"' is a JSON string.

Examples
  omnistore rm user:1 user:2
  omnistore ls session | omnistore rm --from -
  omnistore ls -0 session | xargs -0 omnistore rm --)");
  command.add_option("KEY", line.remove.keys);
  command.add_option("--from", line.remove.from, "Read keys from a file, one a line; -: from standard input")
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
          "How long it lives from now on; 0: for ever")
      ->type_name("DURATION")
      ->required();
}

void fill_meta(CLI::App &command, Line &line) {
  command.footer(R"(Times are to the millisecond; through --url to the second.

Examples
  omnistore meta user:1
  omnistore --json meta user:1)");
  command.add_option("KEY", line.meta.key)->required();
}

} // namespace

void add_values(CLI::App &app, Line &line) {
  add(app, line, line.get, "get", "Print a value, or those of many keys", fill_get);
  add(app, line, line.set, "set", "Store a value", fill_set);
  add(app, line, line.has, "has", "Tell by the exit code whether there is a key: 0 or 1", fill_has);
  add(app, line, line.remove, "rm", "Remove keys", fill_remove);
  add(app, line, line.touch, "touch", "Give a value another ttl", fill_touch);
  add(app, line, line.meta, "meta", "Print what is known of a value: size, times, etag", fill_meta);
}

} // namespace omnistore::cli
