// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "loader/lock.hpp"

namespace omnistore::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using loader::LockDifference;
using loader::LockedPlugin;

struct Work {
  Config config;
  std::string lock;      ///< absolute
  bool is_named = false; ///< the config names it, so that hosts obey it
};

Work work_of(const Global &global, const Plugins &options) {
  if (global.remote())
    throw Failure(Status::invalid, "plugins: --url names a host, and this command works on files of this machine",
                  "leave it out");
  Work work{config_or_none(global), options.lock, false};
  if (work.lock.empty()) work.lock = work.config.plugin_lock;
  if (work.lock.empty() && global.config != "-") work.lock = lock_beside(work.config.file);
  if (work.lock.empty() && options.action != "list")
    throw Failure(Status::invalid,
                  "plugins " + options.action + ": there is no config that a lock file could lie beside",
                  "name the file with --lock, or a config with --config");
  const auto normal = [](const std::string &path) { return fs::absolute(path).lexically_normal().string(); };
  if (!work.lock.empty()) work.lock = normal(work.lock);
  work.is_named = !work.config.plugin_lock.empty() && normal(work.config.plugin_lock) == work.lock;
  return work;
}

std::vector<LockedPlugin> read_lock(const std::string &lock) {
  try {
    return loader::read_lock(lock);
  } catch (const loader::PluginError &wrong) {
    throw Failure(Status::invalid, "lock file " + lock + ": " + wrong.what(), wrong.advice);
  }
}

/// A path beneath the lock's folder starts there.
std::string shown_path(const std::string &path, const std::string &lock) {
  const std::string folder = (fs::path(lock).parent_path() / "").string();
  return path.starts_with(folder) ? path.substr(folder.size()) : path;
}

LockedPlugin locked(const std::string &path, const std::string &lock, const loader::PluginInfo &plugin) {
  return {fs::path(path).filename().string(),
          shown_path(path, lock),
          plugin.sha256,
          plugin.name,
          plugin.version,
          plugin.abi,
          plugin.drivers};
}

json::object plugin_json(const LockedPlugin &plugin) {
  json::object drivers;
  for (const auto &[name, version] : plugin.drivers) drivers[name] = version;
  return {{"file", plugin.file}, {"path", plugin.path},       {"sha256", plugin.sha256},      {"name", plugin.name},
          {"abi", plugin.abi},   {"version", plugin.version}, {"drivers", std::move(drivers)}};
}

std::string names_of(const std::map<std::string, std::string> &drivers) {
  std::string names;
  for (const auto &[name, version] : drivers) names += (names.empty() ? "" : ", ") + name + " " + version;
  return names.empty() ? "-" : names;
}

/// The first refusal of a file.
const loader::RejectedPlugin *reject_of(const std::vector<loader::RejectedPlugin> &rejects, const std::string &file) {
  const auto at = std::find_if(rejects.begin(), rejects.end(), [&](const auto &one) { return one.file == file; });
  return at == rejects.end() ? nullptr : &*at;
}

const loader::PluginInfo *info_of(const std::vector<loader::PluginInfo> &plugins, const std::string &sha256) {
  const auto at = std::find_if(plugins.begin(), plugins.end(), [&](const auto &one) { return one.sha256 == sha256; });
  return at == plugins.end() ? nullptr : &*at;
}

int lock_plugins(const Global &global, const Work &work) {
  loader::SearchPaths paths = loader::search_paths(work.config);
  paths.lock.clear(); // the writer decides the content of the new lock
  loader::Registry registry(std::move(paths));
  const std::vector<loader::PluginInfo> usable = registry.plugins();
  const std::vector<loader::RejectedPlugin> rejects = registry.rejected();
  std::vector<LockedPlugin> plugins;
  json::array listed, left_out;
  for (const loader::FoundPlugin &file : loader::found_plugins(registry.files())) {
    if (const auto *plugin = info_of(usable, file.sha256)) {
      plugins.push_back(locked(file.path, work.lock, *plugin));
      listed.push_back(plugin_json(plugins.back()));
      continue;
    }
    const loader::RejectedPlugin *reject = reject_of(rejects, file.path);
    left_out.push_back(json::object{{"file", file.path}, {"reason", reject ? reject->reason : "it cannot be used"}});
    if (!global.json) complain("left out: " + base::printable(reject ? reject->text() : file.path));
  }
  if (plugins.empty())
    throw Failure(Status::invalid, "plugins lock: there is no plugin that can be used, and nothing was written",
                  "`omnistore drivers` shows the folders that it looked in");
  const std::size_t count = plugins.size();
  loader::write_lock(work.lock, std::move(plugins));
  Output out;
  if (global.json)
    out.json(json::object{{"lock", work.lock},
                          {"plugins", std::move(listed)},
                          {"left_out", std::move(left_out)},
                          {"in_config", work.is_named}});
  else if (!global.quiet)
    out.line(base::printable(work.lock) + ": " + std::to_string(count) + (count == 1 ? " plugin" : " plugins"));
  out.flush();
  if (!work.is_named && !global.json && !global.quiet)
    complain("the config does not name it, so hosts do not read it yet; to it add \"plugins\": {\"lock\": \"" +
             base::printable(shown_path(work.lock, fs::absolute(work.config.file).string())) + "\"}");
  return 0;
}

json::object difference_json(const LockDifference &difference) {
  const auto text = [](const std::string &of) { return of.empty() ? json::value() : json::value(of); };
  return {{"kind", loader::difference_name(difference.kind)},
          {"file", difference.file},
          {"path", difference.path},
          {"locked", text(difference.locked)},
          {"found", text(difference.found)}};
}

std::string text_of(const LockDifference &difference) {
  std::string text = loader::difference_name(difference.kind);
  text.resize(9, ' ');
  text += difference.path;
  if (difference.kind == LockDifference::Kind::changed)
    text += ": locked as " + difference.locked + ", is " +
            (difference.found.empty() ? "no file that can be read" : difference.found);
  return text;
}

int verify_plugins(const Global &global, const Work &work) {
  const std::vector<LockedPlugin> plugins = read_lock(work.lock);
  const loader::Registry registry(loader::search_paths(work.config));
  const auto found = loader::differences(plugins, loader::found_plugins(registry.files()));
  Output out;
  if (global.json) {
    json::array list;
    for (const LockDifference &one : found) list.push_back(difference_json(one));
    out.json(json::object{{"lock", work.lock}, {"ok", found.empty()}, {"differences", std::move(list)}});
  } else {
    for (const LockDifference &one : found) out.line(base::printable(text_of(one)));
    if (found.empty() && !global.quiet) out.line(base::printable(work.lock) + ": ok");
  }
  out.flush();
  if (!found.empty() && !global.json)
    complain("if the plugins are as they should be, run `omnistore plugins lock` to trust them");
  return found.empty() ? 0 : exit_code(Status::invalid);
}

/// With a lock file nothing is loaded that is not in it, so a plugin that is refused shows only its sum.
int list_plugins(const Global &global, const Work &work) {
  loader::SearchPaths paths = loader::search_paths(work.config);
  const bool has_lock = work.is_named || (!work.lock.empty() && fs::exists(work.lock));
  paths.lock = has_lock ? work.lock : "";
  const std::vector<LockedPlugin> plugins = has_lock ? read_lock(work.lock) : std::vector<LockedPlugin>();
  loader::Registry registry(std::move(paths));
  const std::vector<loader::PluginInfo> usable = registry.plugins();
  const auto found = loader::found_plugins(registry.files());
  const auto differing = has_lock ? loader::differences(plugins, found) : std::vector<LockDifference>();

  json::array listed;
  std::vector<std::vector<std::string>> rows{{"STATE", "PLUGIN", "VERSION", "DRIVERS", "SHA256", "FILE"}};
  const auto add = [&](const std::string &state, const LockedPlugin &plugin) {
    json::object entry = plugin_json(plugin);
    entry["state"] = state;
    listed.push_back(std::move(entry));
    const auto or_dash = [](const std::string &text) { return text.empty() ? "-" : text; };
    constexpr std::size_t sum_at = 7, sum_shown = 16; // after "sha256:"
    rows.push_back({state, or_dash(plugin.name), or_dash(plugin.version), names_of(plugin.drivers),
                    plugin.sha256.empty() ? "-" : plugin.sha256.substr(sum_at, sum_shown), plugin.path});
  };
  for (const loader::FoundPlugin &file : found) {
    const auto *plugin = info_of(usable, file.sha256);
    const auto other = std::find_if(differing.begin(), differing.end(), [&](const LockDifference &one) {
      return one.kind != LockDifference::Kind::missing && one.path == file.path;
    });
    const std::string state = other != differing.end() ? loader::difference_name(other->kind)
                              : !plugin                ? "unusable"
                              : has_lock               ? "locked"
                                                       : "unlocked";
    LockedPlugin entry = locked(file.path, "", plugin ? *plugin : loader::PluginInfo());
    entry.path = file.path;
    entry.sha256 = file.sha256;
    add(state, entry);
  }
  for (const LockDifference &one : differing) {
    if (one.kind != LockDifference::Kind::missing) continue;
    const auto plugin = std::find_if(plugins.begin(), plugins.end(), [&](const LockedPlugin &locked_one) {
      return locked_one.file == one.file && locked_one.sha256 == one.locked;
    });
    add("missing", *plugin);
  }
  Output out;
  if (global.json)
    out.json(json::object{{"lock", has_lock ? json::value(work.lock) : json::value()},
                          {"in_config", work.is_named},
                          {"plugins", std::move(listed)}});
  else
    print_table(out, rows);
  out.flush();
  if (has_lock && !work.is_named && !global.json && !global.quiet)
    complain("the config does not name " + base::printable(work.lock) + ", so hosts do not read it");
  return 0;
}

} // namespace

int run(const Global &global, const Plugins &options) {
  const Work work = work_of(global, options);
  if (options.action == "lock") return lock_plugins(global, work);
  if (options.action == "verify") return verify_plugins(global, work);
  return list_plugins(global, work);
}

} // namespace omnistore::cli
