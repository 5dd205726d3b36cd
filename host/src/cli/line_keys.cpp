// SPDX-License-Identifier: Apache-2.0
// The commands on the keys under a base.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_list(CLI::App &command, Line &line) {
  command.footer(
      R"(Keys come as they are read, a page at a time: a long listing starts at once and needs little memory. A key
that could be mistaken for something else, or that holds characters which cannot be seen or act on a
terminal, is printed as a JSON string, which --from of other commands reads back.

Examples
  omnistore ls
  omnistore ls user --depth 0
  omnistore ls --limit 10 --long
  omnistore ls -0 user | xargs -0 -n 1 omnistore meta --
  omnistore --json ls user)");
  command.add_option("BASE", line.list.base, "Only keys under it");
  command.add_option("--depth", line.list.depth, "Only keys with at most so many ':' behind the base")->type_name("N");
  command.add_option("--limit", line.list.limit, "At most so many keys")->type_name("N")->check(CLI::PositiveNumber);
  add_null(command, line.list.null);
  command.add_flag("-l,--long", line.list.details, "With size, time of the last change, and expiry")->excludes("-0");
}

void fill_clear(CLI::App &command, Line &line) {
  command.footer(R"(Asks first on a terminal. The empty base, which is everything, needs -y.

Examples
  omnistore clear user
  omnistore clear session -y
  omnistore clear -y)");
  command.add_option("BASE", line.clear.base);
  command.add_flag("-y,--yes", line.clear.yes, "Do not ask");
}

void fill_events(CLI::App &command, Line &line) {
  command.footer(R"(Of everything, of a key and the keys under it, or of those under a base alone (user:). Each line has
the time, update or remove, the key, and why it went: removed, expired, evicted or cleared. "resync"
says that some were lost, as where they come faster than they are read. Ctrl-C and SIGTERM end it
with 0.

With --url every change made through that host is told, and after a break of the connection it goes
on where it was. On a config it tells what other programs change, where the driver can see that. If a store
cannot report what others change, a warning gives the driver's reason; with --json it is an object whose
type is "limited", and a "message".

Examples
  omnistore watch
  omnistore watch user --count 10
  omnistore --json --url http://127.0.0.1:7700 watch session:
      {"sequence":17,"type":"remove","key":"session:9","cause":"expired","missed":null})");
  command.add_option("BASE", line.events.base);
  add_null(command, line.events.null);
  command.add_option("--count", line.events.count, "End after so many")->type_name("N")->check(CLI::PositiveNumber);
}

} // namespace

void add_keys(CLI::App &app, Line &line) {
  add(app, line, line.list, "ls", "List keys, one a line", fill_list);
  add(app, line, line.clear, "clear", "Remove every key under a base", fill_clear);
  add(app, line, line.events, "watch", "Print changes as they happen, one a line", fill_events);
}

} // namespace omnistore::cli
