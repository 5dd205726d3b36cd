// SPDX-License-Identifier: Apache-2.0
// The commands that change a running host.
#include "cli/line.hpp"

namespace omnistore::cli {
namespace {

void fill_reload(CLI::App &command, Line &line) {
  command.footer(
      R"(The host opens every store that is new or different first. Only then do requests go to them, and those
in flight finish on the old stores. Mounts that stay the same keep what they hold. If anything is
wrong, the host stays as it is. A host also reloads by itself when the file changes, and on SIGHUP.

The host is the one that runs with this config, or that of --url.

Examples
  omnistore reload
  omnistore reload --dry-run
  omnistore --url http://127.0.0.1:7700 --json reload)");
  command.add_flag("-n,--dry-run", line.reload.dry_run, "Only print what it would change");
}

void fill_login(CLI::App &command, Line &) {
  command.footer(
      R"(The link logs one browser in to the page of the host, once, within ten minutes. Its user may do everything
there. `omnistore serve` prints such a link too when it starts.

The host is the one that runs with this config, or that of --url. If admin.tokens is empty, run the
command as the host's user or as root. Otherwise it needs a token that may change everything; without
--token it takes one from the config.

Examples
  omnistore login
  xdg-open $(omnistore login)
  omnistore --admin-url http://127.0.0.1:7701 --token "$TOKEN" login)");
}

void fill_mount(CLI::App &command, Line &line) {
  command.footer(
      R"(The store takes the place of one that is mounted there already. The host closes that one after its last
request; until then `omnistore mounts` shows it as draining. The new store stays until it is unmounted,
the host ends, or a reloaded config has a mount there itself. "/" is the root. Relative paths start at
the folder of the running host's config.

Examples
  omnistore mount scratch memory
  omnistore mount scratch memory -o size=1000
  omnistore mount photos '{"driver": "fs", "options": {"base": "/srv/photos"}, "readOnly": true}')");
  command.add_option("MOUNTPOINT", line.mount.mountpoint)->required();
  command.add_option("STORE", line.mount.what, "A driver, or a mount as JSON, in the form of a config")->required();
  command
      .add_option("-o,--option", line.mount.options, "Set an option of the driver; a VALUE that is not JSON is a text")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

void fill_unmount(CLI::App &command, Line &line) {
  command.footer(
      R"(The store keeps what it holds, unless it holds it in memory. Requests that are under way finish on the
store, and the host closes it after the last; until then `omnistore mounts` shows it as draining.

Examples
  omnistore unmount scratch
  omnistore unmount photos --wait)");
  command.add_option("MOUNTPOINT", line.unmount.mountpoint)->required();
  command.add_flag("--wait", line.unmount.wait, "Wait until its store is closed");
}

} // namespace

void add_running(CLI::App &app, Line &line) {
  add(app, line, line.reload, "reload", "Make the running host read its config again", fill_reload);
  add(app, line, line.login, "login", "Print a link that logs a browser in to the page", fill_login);
  add(app, line, line.mount, "mount", "Mount a store in the running host", fill_mount);
  add(app, line, line.unmount, "unmount", "Unmount a store of the running host", fill_unmount);
}

} // namespace omnistore::cli
