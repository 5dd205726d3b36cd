// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/printable.hpp"
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/json_fields.hpp"
#include "cli/log.hpp"
#include "cli/output.hpp"
#include "config/draft.hpp"
#include "loader/probe.hpp"
#include "service/check_config.hpp"
#include "tls/tls.hpp"

namespace omnistore::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Diagnosis {
  const char *state; ///< "ok", "warn" or "fail"
  std::string area;  ///< "config", "plugins"
  std::string text;
  std::string remedy{};
};

class Diagnoses {
public:
  void ok(std::string area, std::string text) { all.push_back({"ok", std::move(area), std::move(text)}); }
  void warn(std::string area, std::string text, std::string remedy) {
    all.push_back({"warn", std::move(area), std::move(text), std::move(remedy)});
  }
  void fail(std::string area, std::string text, std::string remedy) {
    all.push_back({"fail", std::move(area), std::move(text), std::move(remedy)});
  }
  bool failed() const {
    return std::any_of(all.begin(), all.end(),
                       [](const Diagnosis &one) { return std::string_view(one.state) == "fail"; });
  }

  std::vector<Diagnosis> all;
};

std::string number_of(std::uint64_t count, const std::string &what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// ------------------------------------------------------------------------------------------------- files and plugins

/// A file that decides what the host does must not be open to writes of others, nor a secret to their reads.
void check_file(Diagnoses &found, const std::string &area, const std::string &file, mode_t refused) {
  struct stat status;
  if (::stat(file.c_str(), &status) != 0) return; // the config's check reports it
  if ((status.st_mode & refused) == 0) return;
  const bool writes = (status.st_mode & refused & (S_IWGRP | S_IWOTH)) != 0;
  found.warn(area, file + " can be " + (writes ? "written" : "read") + " by other users",
             writes ? "chmod go-w " + file : "chmod 600 " + file + ", and chown it to the user of the host");
}

/// `config` is one that check accepts.
void check_listener(Diagnoses &found, const std::string &field, const HttpConfig &config) {
  constexpr mode_t of_others = S_IRWXO | S_IWGRP; // Debian's group ssl-cert may read keys
  if (!config.token_file.empty()) check_file(found, "secrets", config.token_file, of_others);
  if (!config.tls.enabled()) return;
  check_file(found, "secrets", config.tls.key.empty() ? config.tls.certificate : config.tls.key, of_others);
  constexpr std::int64_t day = 24 * 60 * 60;
  const tls::Context::End end = tls::module().listen(config.tls, field)->end();
  const std::int64_t left = end.time - std::time(nullptr);
  const std::string what = "the certificate " + config.tls.certificate + " of " + field;
  const std::string remedy = "replace the file; a host that runs takes the new one at once";
  if (left <= 0)
    found.fail("certificates", what + " ended on " + end.text, remedy);
  else if (left < 14 * day)
    found.warn("certificates", what + " ends on " + end.text, remedy);
  else
    found.ok("certificates", what + " is valid until " + end.text);
}

void check_plugins(Diagnoses &found, const Config &config, loader::Registry &plugins) {
  const std::size_t usable = plugins.plugins().size();
  if (usable == 0)
    found.fail("plugins", "there is no plugin that can be used",
               "install one beside the program, or name its folder in plugins.paths of the config");
  else
    found.ok("plugins", number_of(usable, "plugin") + " can be used");
  for (const loader::RejectedPlugin &reject : plugins.rejected())
    found.warn("plugins", reject.file + ": " + reject.reason,
               reject.advice.empty() ? "remove it, or install it again" : reject.advice);
  if (loader::probe_program().empty())
    found.warn("plugins", "omnistore-probe was not found, so a plugin that crashes when it is loaded ends the host",
               "install omnistore again, or name the probe with OMNISTORE_PROBE");
  if (config.plugin_lock.empty() && !config.file.empty() && ::geteuid() == 0)
    found.ok("plugins", "no lock file is named; `omnistore plugins lock` pins the plugins");
}

// ----------------------------------------------------------------------------------------------------------- machine

void check_limits(Diagnoses &found, const Config &config) {
  rlimit files{};
  const rlim_t needed = rlim_t{config.http.max_connections} + config.admin.max_connections + 1000;
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    if (files.rlim_max < needed)
      found.warn("limits",
                 "a process may open " + std::to_string(files.rlim_max) + " files, and maxConnections needs " +
                     std::to_string(needed),
                 "raise it with LimitNOFILE= in the unit or ulimit -n, or lower server.http.maxConnections");
    else
      found.ok("limits", "a process may open " + std::to_string(files.rlim_max) + " files");
  }
  rlimit processes{};
  if (::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur < 1024)
    found.warn("limits", "the user may start " + std::to_string(processes.rlim_cur) + " threads",
               "raise it to 1024 or more with LimitNPROC= or TasksMax= in the unit, or ulimit -u");
  const char *named = std::getenv("TMPDIR");
  const std::string folder = named ? named : "/tmp";
  struct statvfs system;
  if (::statvfs(folder.c_str(), &system) != 0 || ::access(folder.c_str(), W_OK) != 0)
    found.warn("limits",
               folder + " cannot be written, so plugins are loaded from their own files and must not be "
                        "overwritten while the host runs",
               "set TMPDIR or XDG_RUNTIME_DIR to a folder that the host may write");
  else if ((system.f_flag & ST_NOEXEC) != 0)
    found.warn("limits",
               folder + " is mounted noexec, so plugins are loaded from their own files and must not be "
                        "overwritten while the host runs",
               "set TMPDIR or XDG_RUNTIME_DIR to a folder on a file system without noexec");
}

void check_clock(Diagnoses &found) {
  timex clock{};
  const int state = ::adjtimex(&clock);
  constexpr std::time_t release_of_debian_12 = 1'686'355'200;
  if (std::time(nullptr) < release_of_debian_12)
    found.fail("clock", "the clock says " + time_text(std::int64_t{std::time(nullptr)} * 1000),
               "set it: values with a ttl end too late, and certificates are refused");
  else if (state == TIME_ERROR || (state >= 0 && (clock.status & STA_UNSYNC) != 0))
    found.warn("clock", "no time service keeps the clock right", "timedatectl set-ntp true, or install chrony");
  else
    found.ok("clock", "a time service keeps the clock right");
}

// ------------------------------------------------------------------------------------------------- the host, the
// stores

/// Looks at the host that runs with the config. Returns false if there is none.
bool check_host(Diagnoses &found, const Global &global, const Config &config) {
  json::object about, mounts;
  try {
    about = request_admin(global, "/");
    mounts = request_admin(global, "/mounts");
  } catch (const Error &error) {
    if (error.status() != Status::denied) return false;
    found.warn("host", "a host runs, and does not let this user look at it", "run this as its user or as root");
    return true;
  }
  const std::string version = text(about, "version");
  if (version.empty()) return false; // another program's
  if (version == OMNISTORE_VERSION)
    found.ok("host", "a host runs with " + config.file + ", version " + version);
  else
    found.warn("host", "the host that runs has version " + version + ", and this program " OMNISTORE_VERSION,
               "restart the host: systemctl restart omnistore");
  for (const json::value &each : array_in(mounts, "mounts")) {
    const json::object &mount = each.as_object();
    const std::string point = text(mount, "mountpoint");
    const std::string name = "mount " + (point.empty() ? std::string("the root") : base::printable(point));
    if (truth(mount, "available", true))
      found.ok("stores", name + " is open");
    else
      found.fail("stores", name + " is not open: " + text(mount, "reason"),
                 "make its backend reachable; then `omnistore reload`");
  }
  return true;
}

void check_stores(Diagnoses &found, const Config &config, const std::shared_ptr<loader::Registry> &plugins) {
  Config each_needed = config; // a store that may be away is reported too
  for (auto &[mountpoint, mount] : each_needed.mounts) mount.optional = false;
  const std::vector<Problem> problems = service::try_open(each_needed, plugins);
  for (const auto &[mountpoint, mount] : config.mounts) {
    const std::string &path = mount.store.path;
    const auto problem =
        std::find_if(problems.begin(), problems.end(), [&](const Problem &one) { return one.path.starts_with(path); });
    if (problem == problems.end())
      found.ok("stores", path + " opens, driver " + mount.store.driver);
    else
      (mount.optional ? found.warn("stores", problem->text(), "the host runs without it until it can be opened")
                      : found.fail("stores", problem->text(),
                                   "make its backend reachable, correct its options, or mark it \"optional\": true"));
  }
  for (const Problem &problem : problems)
    if (problem.path.ends_with(".listen"))
      found.fail("listeners", problem.text(), "choose another address, or stop the process that has it");
}

void check_all(Diagnoses &found, const Global &global) {
  found.ok("program", "omnistore " OMNISTORE_VERSION);
  std::shared_ptr<loader::Registry> plugins;
  Config config;
  bool usable = false;
  try {
    const std::string file = find_config(global);
    Draft draft = load_draft(file, global.profile);
    config = draft.config;
    check_file(found, "config", file, S_IWGRP | S_IWOTH);
    for (const auto &[path, text] : draft.files) check_file(found, "secrets", path, S_IRWXO | S_IWGRP);
    plugins = open_registry(config);
    service::check_config(draft, *plugins);
    config = std::move(draft).finish();
    usable = true;
    found.ok("config", file + ": " + number_of(config.mounts.size(), "mount"));
  } catch (const ConfigError &error) {
    for (const Problem &problem : error.problems())
      found.fail("config", problem.text(), "correct it in " + config.file + "; `omnistore check` looks again");
  } catch (const Error &error) {
    const auto *failure = dynamic_cast<const Failure *>(&error);
    found.fail("config", error.what(), failure ? failure->next() : "make it readable for this user");
  }
  check_plugins(found, config, plugins ? *plugins : *open_registry(config));
  check_limits(found, config);
  check_clock(found);
  if (usable) {
    check_listener(found, "server.http", config.http);
    check_listener(found, "admin", config.admin);
  }
  if (usable && !check_host(found, global, config)) check_stores(found, config, plugins);
}

} // namespace

int run(const Global &global, const Doctor &) {
  if (global.remote())
    throw Failure(Status::invalid, "doctor: --url names a host, and this command looks at this machine",
                  "leave it out");
  Diagnoses found;
  check_all(found, global);
  Output out;
  if (global.json) {
    json::array checks;
    for (const Diagnosis &one : found.all) {
      json::object check{{"state", one.state}, {"area", one.area}, {"message", without_kept_secrets(one.text)}};
      if (!one.remedy.empty()) check["remedy"] = one.remedy;
      checks.push_back(std::move(check));
    }
    out.json(json::object{{"ok", !found.failed()}, {"checks", std::move(checks)}});
  } else {
    for (const Diagnosis &one : found.all) {
      const std::string state(one.state);
      if (global.quiet && state == "ok") continue;
      const Colour colour = state == "ok" ? Colour::green : state == "warn" ? Colour::yellow : Colour::red;
      out.line(paint(colour, state, 1) + std::string(6 - state.size(), ' ') + one.area + ": " +
               base::printable_lines(without_kept_secrets(one.text)));
      if (!one.remedy.empty()) out.line("        " + base::printable(one.remedy));
    }
  }
  out.flush();
  return found.failed() ? exit_code(Status::invalid) : 0;
}

} // namespace omnistore::cli
