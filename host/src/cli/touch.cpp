// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

int run(const Global &global, const Touch &options) {
  if (!Stores(global)->touch(options.key, options.ttl, limited(CallOptions())))
    throw Error(Status::not_found, "touch " + options.key + ": no such key");
  if (global.json) {
    Output out;
    out.json(boost::json::object{{"key", Key(options.key).view()}});
    out.flush();
  }
  return 0;
}

} // namespace omnistore::cli
