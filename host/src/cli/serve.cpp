// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <filesystem>
#include <optional>

#include <boost/json/parse.hpp>
#include <spdlog/spdlog.h>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/log.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"
#include "config/draft.hpp"
#include "config/secrets.hpp"
#include "server/check_config.hpp"
#include "server/config_watch.hpp"
#include "server/server.hpp"

namespace omnistore::cli {
namespace {

/// Whether the config is a file or may become one, and not a pipe or the terminal.
bool can_change(const std::string &file) {
  std::error_code failed;
  return std::filesystem::is_regular_file(file, failed) || !std::filesystem::exists(file, failed);
}

/// Tells the log what each driver's schema calls secret among a store's options.
void keep_secrets(const StoreConfig &store, loader::Registry &registry) {
  for (const StoreConfig &child : store.children) keep_secrets(child, registry);
  boost::system::error_code broken;
  const boost::json::value options = boost::json::parse(store.options, broken);
  if (broken) return;
  try {
    std::vector<std::string> secrets;
    config::add_secrets(registry.find(store.driver)->schema, options, secrets);
    for (std::string &secret : secrets) keep_secret(std::move(secret));
  } catch (const Error &) {
    // The storage says why the driver cannot be had.
  }
}

void keep_all_secrets(const Config &config, loader::Registry &registry) {
  for (const auto &[mountpoint, mount] : config.mounts) keep_secrets(mount.store, registry);
}

Draft load_again(const std::string &file, const Global &global) {
  if (!can_change(file))
    throw Error(Status::unsupported, "reload: the config came through " + file + ", which cannot be read again");
  return load_draft(file, global.profile);
}

void reload(server::Reloader &reloader, std::string_view why) {
  try {
    reloader.reload(why);
  } catch (const std::exception &) {
    // The log says why, and nothing has changed.
  }
}

void announce(const Global &global, const Config &config, const std::string &http, const std::string &admin) {
  Output out;
  if (global.json) {
    out.json(boost::json::object{{"config", config.file}, {"http", http}, {"admin", admin}});
  } else if (!global.quiet) {
    const std::string program = global.program + " --url " + http;
    out.line("Omnistore serves " + config.file + (config.profile.empty() ? "" : ", profile " + config.profile));
    if (!http.empty()) out.line("  data   " + http);
    if (!admin.empty()) out.line("  admin  " + admin);
    if (!http.empty()) {
      out.line("Try");
      out.line("  " + program + " set greeting 'Hello, world'");
      out.line("  " + program + " ls");
      out.line("  curl " + http + "/greeting");
    }
  }
  try {
    out.flush();
  } catch (const ClosedPipe &) {
    spdlog::debug("nobody reads standard output"); // the host serves all the same
  } catch (const Error &error) {
    spdlog::warn("{}; the host serves all the same: data {}, admin {}", error.what(), http.empty() ? "off" : http,
                 admin.empty() ? "off" : admin);
  }
}

std::string url_of(const std::string &address) { return address.empty() ? "" : "http://" + address; }

} // namespace

int run(const Global &global, const Serve &) {
  if (global.remote())
    throw Failure(Status::invalid, "serve: --url is for work on a host that runs already", "leave it out");
  hold_stop_signals(true);

  const std::string file = find_config(global);
  const std::string watched = can_change(file) ? file : std::string();
  server::FileStates read = server::states_of({watched, {}});
  Draft draft = load_draft(file, global.profile);
  start_log(draft.config, global, true);
  const auto plugins = open_registry(draft.config);
  server::check_config(draft, *plugins);
  const Config config = std::move(draft).finish();
  read.merge(server::states_of({watched, plugins->searched()}));
  keep_all_secrets(config, *plugins);
  Storage storage(config, plugins);
  std::optional<server::ConfigWatch> watch;
  server::Reloader reloader(storage, config,
                            {[&file, &global] { return load_again(file, global); }, keep_all_secrets,
                             [&global](const Config &now) { set_log_level(now, global, true); },
                             [&watch] { watch->refresh(); }});
  watch.emplace(
      std::move(read),
      [&] {
        return server::WatchedPaths{watched, storage.plugins()->searched()};
      },
      [&](std::string_view why) { reload(reloader, why); });
  server::Server server(reloader);
  server.start();
  announce(global, config, url_of(server.http_address()), url_of(server.admin_address()));

  int signal = 0;
  while ((signal = wait_for_stop()) == SIGHUP) watch->poke("SIGHUP");
  spdlog::info("{}: finishing what is in flight; once more stops at once", signal == SIGINT ? "SIGINT" : "SIGTERM");
  let_signals_end();
  server.stop(std::chrono::milliseconds(config.http.request_timeout));
  return 0;
}

} // namespace omnistore::cli
