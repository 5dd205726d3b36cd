// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "storage/plan.hpp"

namespace omnistore::cli {
namespace {

std::string counted(std::size_t count, const std::string &what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

struct Finding {
  std::string profile;
  std::size_t mounts = 0;
  std::vector<Problem> problems;
};

Finding look_at(const std::string &file, const std::string &profile) {
  Finding finding;
  try {
    const Config config = Config::load(file, profile);
    finding.profile = config.profile;
    finding.mounts = config.mounts.size();
    finding.problems = check_stores(config, *open_registry(config));
  } catch (const ConfigError &error) {
    finding.problems = error.problems();
  }
  return finding;
}

} // namespace

int run(const Global &global, const Check &options) {
  Output out;
  if (options.schema) {
    out.write(config_schema());
    out.flush();
    return 0;
  }
  const std::string file = find_config(global);
  const Finding finding = look_at(file, global.profile);
  const bool good = finding.problems.empty();
  if (global.json) {
    out.json(boost::json::object{{"file", file}, {"ok", good}, {"problems", to_json(finding.problems)}});
  } else if (good) {
    if (!global.quiet)
      out.line(file + ": ok, " + counted(finding.mounts, "mount") +
               (finding.profile.empty() ? "" : ", profile " + finding.profile));
  } else {
    complain(paint(Colour::red, "omnistore:", 2) + " " + file + ": " + counted(finding.problems.size(), "problem"));
    for (const Problem &problem : finding.problems) complain("  " + problem.text());
  }
  out.flush();
  return good ? 0 : exit_code(Status::invalid);
}

} // namespace omnistore::cli
