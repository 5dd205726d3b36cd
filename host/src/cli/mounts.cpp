// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/tables.hpp"
#include "cli/target.hpp"

namespace omnistore::cli {

int run(const Global &global, const Mounts &) {
  const boost::json::object answer = open_target(global)->mounts();
  Output out;
  if (global.json)
    out.json(answer);
  else
    print_mounts(out, answer);
  out.flush();
  return 0;
}

} // namespace omnistore::cli
