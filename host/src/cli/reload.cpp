// SPDX-License-Identifier: Apache-2.0
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/tables.hpp"

namespace omnistore::cli {

int run(const Global &global, const ReloadConfig &options) {
  const boost::json::object answer = request_admin(global, "/reload", options.dry_run ? "GET" : "POST");
  Output out;
  if (global.json)
    out.json(answer);
  else if (!global.quiet)
    print_changes(out, answer);
  out.flush();
  return 0;
}

} // namespace omnistore::cli
