// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/printable.hpp"
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/log.hpp"
#include "cli/output.hpp"
#include "cli/tables.hpp"
#include "config/draft.hpp"
#include "config/schema.hpp"
#include "report/describe.hpp"
#include "service/check_config.hpp"
#include "service/reloader.hpp"
#include "storage/changes.hpp"

namespace omnistore::cli {
namespace {

std::string counted(std::size_t count, const std::string &what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

struct Finding {
  std::string note; ///< a hint about something valid that is perhaps not meant; may be empty
  std::string profile;
  std::size_t mounts = 0;
  std::vector<Problem> problems;
};

/// A lock file that lies there and is not used is easily taken for one that is.
std::string unnamed_lock(const Config &config) {
  const std::string lock = lock_beside(config.file);
  std::error_code failed;
  if (!config.plugin_lock.empty() || lock.empty() || !std::filesystem::exists(lock, failed)) return {};
  return lock + " lies beside the config, which does not name it, so no plugin is compared with it; to use it, add "
                "\"plugins\": {\"lock\": \"omnistore.lock\"}";
}

Finding look_at(const std::string &file, const Global &global, bool open) {
  Finding finding;
  try {
    Draft draft = load_draft(file, global.profile);
    start_log(draft.config, global);
    finding.note = unnamed_lock(draft.config);
    const auto plugins = open_registry(draft.config);
    service::check_config(draft, *plugins);
    const Config config = std::move(draft).finish();
    finding.profile = config.profile;
    finding.mounts = config.mounts.size();
    if (open) finding.problems = service::try_open(config, plugins);
  } catch (const ConfigError &error) {
    finding.problems = error.problems();
  }
  return finding;
}

int print_schema(const Global &global) {
  std::map<std::string, boost::json::object> schemas;
  for (const auto &driver : registry_of(global)->all()) schemas[driver->name] = driver->schema;
  Output out;
  out.write(config::editor_schema(schemas));
  out.flush();
  return 0;
}

boost::json::object diff(const Global &global, const Check &options) {
  if (options.from.empty()) return request_admin(global, "/reload");
  const Config now = Config::load(options.from, global.profile), next = load_config(global);
  return report::describe(service::changes_of(now, next, changes_between(now, next)), next);
}

int print_diff(const Global &global, const Check &options) {
  const boost::json::object answer = diff(global, options);
  Output out;
  if (global.json)
    out.json(answer);
  else
    print_changes(out, answer);
  out.flush();
  return 0;
}

} // namespace

int run(const Global &global, const Check &options) {
  if (options.diff) return print_diff(global, options);
  if (global.remote())
    throw Failure(Status::invalid, "check: --url is for work on a host that runs already", "leave it out");
  if (options.schema) return print_schema(global);
  const std::string file = find_config(global);
  const Finding finding = look_at(file, global, options.open);
  const bool good = finding.problems.empty();
  Output out;
  if (global.json) {
    boost::json::object result{{"file", file}, {"ok", good}, {"problems", to_json(finding.problems)}};
    if (!finding.note.empty()) result["notes"] = boost::json::array{boost::json::value(finding.note)};
    out.json(result);
  } else if (good) {
    if (!global.quiet)
      out.line(file + ": ok, " + counted(finding.mounts, "mount") +
               (finding.profile.empty() ? "" : ", profile " + finding.profile));
  } else {
    complain(paint(Colour::red, "omnistore:", 2) + " " + base::printable(file) + ": " +
             counted(finding.problems.size(), "problem"));
    for (const Problem &problem : finding.problems) complain("  " + base::printable_lines(problem.text()));
  }
  if (!finding.note.empty() && !global.json && !global.quiet) complain("note: " + base::printable(finding.note));
  out.flush();
  return good ? 0 : exit_code(Status::invalid);
}

} // namespace omnistore::cli
