// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

int run(const Global &global, const Has &options) {
  const bool has = Stores(global)->has(options.key, limited(CallOptions()));
  if (global.json) {
    Output out;
    out.json(boost::json::object{{"key", Key(options.key).view()}, {"has", has}});
    out.flush();
  }
  return has ? 0 : 1;
}

} // namespace omnistore::cli
