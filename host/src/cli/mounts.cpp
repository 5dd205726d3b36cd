// SPDX-License-Identifier: Apache-2.0
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "cli/tables.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {

int run(const Global &global, const Mounts &) {
  const boost::json::object mounts =
      global.names_host() ? request_admin(global, "/mounts") : report::describe_mounts(*Stores(global));
  Output out;
  if (global.json)
    out.json(mounts);
  else
    print_mounts(out, mounts);
  out.flush();
  return 0;
}

} // namespace omnistore::cli
