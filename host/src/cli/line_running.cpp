// SPDX-License-Identifier: Apache-2.0
// The commands that change a running host.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_reload(CLI::App &command, Line &line) {
  command.footer(R"(All or nothing: every store that is new or different is opened first; only then do requests go to
them, and those in flight finish on the old ones. Mounts that are the same keep what they hold. Where
anything is wrong the host stays as it is. A host does the same by itself when the file changes, and
on SIGHUP.

The host is the one that runs with this config, or that of --url.

Examples
  omnistore reload
  omnistore reload --dry-run
  omnistore --url http://127.0.0.1:7700 --json reload)");
  command.add_flag("-n,--dry-run", line.reload.dry_run, "Only tell what it would change");
}

void fill_mount(CLI::App &command, Line &line) {
  command.footer(
      R"(In place of one that is mounted there already, which is closed in the background when no request is on
it any more; `omnistore mounts` shows it as draining until then. It
stays until it is unmounted, the host ends, or a config is reloaded that has a mount there itself. "/"
is the root. Relative paths start at the folder of the running host's config.

Examples
  omnistore mount scratch memory
  omnistore mount scratch memory -o size=1000
  omnistore mount photos '{"driver": "fs", "options": {"base": "/srv/photos"}, "readOnly": true}')");
  command.add_option("MOUNTPOINT", line.mount.mountpoint)->required();
  command.add_option("STORE", line.mount.what, "A driver, or JSON as the config has for a mount")->required();
  command.add_option("-o,--option", line.mount.options, "An option of the driver; JSON, or else a text")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

void fill_unmount(CLI::App &command, Line &line) {
  command.footer(
      R"(What it holds stays where it is, if it is anywhere but in memory. Requests that are under way finish on
the store, which is closed after the last; `omnistore mounts` shows it as draining until then.

Examples
  omnistore unmount scratch
  omnistore unmount photos --wait)");
  command.add_option("MOUNTPOINT", line.unmount.mountpoint)->required();
  command.add_flag("--wait", line.unmount.wait, "Wait until its store is closed");
}

} // namespace

void add_running(CLI::App &app, Line &line) {
  add(app, line, line.reload, "reload", "Have the running host read its config anew", fill_reload);
  add(app, line, line.mount, "mount", "Mount a store in the running host", fill_mount);
  add(app, line, line.unmount, "unmount", "Unmount a store of the running host", fill_unmount);
}

} // namespace omnistore::cli
