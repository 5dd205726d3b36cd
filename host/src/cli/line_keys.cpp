// SPDX-License-Identifier: Apache-2.0
// The commands on the keys under a base.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_list(CLI::App &command, Line &line) {
  command.footer(
      R"(Prints keys as it reads them, a page at a time, so a long listing starts at once and needs little
memory. If a key could be mistaken for something else, or has characters that cannot be seen or act on
a terminal, it is printed as a JSON string, which --from of other commands reads back.

Examples
  omnistore ls
  omnistore ls --folders user
  omnistore ls log --start log:2026-11 --end log:2026-12
  omnistore ls log --reverse --limit 1
  omnistore ls --limit 10 --long
  omnistore ls -0 user | xargs -0 -n 1 omnistore meta --
  omnistore --json ls user)");
  command.add_option("BASE", line.list.base, "List only the keys under it");
  command.add_option("--depth", line.list.depth, "List only keys with at most N ':' after the base")->type_name("N");
  command.add_option("--limit", line.list.limit, "List at most N keys")->type_name("N")->check(CLI::PositiveNumber);
  command.add_option("--start", line.list.start, "List only the keys from KEY on")->type_name("KEY");
  command.add_option("--end", line.list.end, "List only the keys before KEY")->type_name("KEY");
  command.add_flag("--reverse", line.list.reverse, "List in descending order, if the driver can");
  command.add_flag("--folders", line.list.folders,
                   "In place of the keys below --depth, list their folders, each once and with a ':' at its end; "
                   "without --depth it is 0");
  add_null(command, line.list.null);
  command.add_flag("-l,--long", line.list.details, "Print the size, the time of the last change, and the expiry too")
      ->excludes("-0");
}

void fill_clear(CLI::App &command, Line &line) {
  command.footer(R"(On a terminal it asks before it removes anything. The empty base is everything, and needs -y.

Examples
  omnistore clear user
  omnistore clear session -y
  omnistore clear -y)");
  command.add_option("BASE", line.clear.base);
  command.add_flag("-y,--yes", line.clear.yes, "Do not ask");
}

void fill_events(CLI::App &command, Line &line) {
  command.footer(R"(Prints the changes of every key, of a key and the keys under it (user), or only of the keys under a
base (user:). Each line has the time, update or remove, the key, and why it went: removed, expired,
evicted or cleared. "resync" says that some events were lost, for example because they came faster
than they were read. Ctrl-C and SIGTERM end it with 0.

With --url it prints every change made through that host, and resumes after a break of the connection.
On a config it prints what other programs change, if the driver can see that. If a store cannot report
what others change, a warning gives the driver's reason; with --json it is an object whose "type" is
"limited", with a "message".

Examples
  omnistore watch
  omnistore watch user --count 10
  omnistore --json --url http://127.0.0.1:7700 watch session:
      {"sequence":17,"type":"remove","key":"session:9","cause":"expired","missed":null})");
  command.add_option("BASE", line.events.base);
  add_null(command, line.events.null);
  command.add_option("--count", line.events.count, "End after N events")->type_name("N")->check(CLI::PositiveNumber);
}

} // namespace

void add_keys(CLI::App &app, Line &line) {
  add(app, line, line.list, "ls", "List keys, one a line", fill_list);
  add(app, line, line.clear, "clear", "Remove every key under a base", fill_clear);
  add(app, line, line.events, "watch", "Print changes as they happen, one a line", fill_events);
}

} // namespace omnistore::cli
