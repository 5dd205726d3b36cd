// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

/// A key that is not there is gone too: removing it again is no failure. Where some keys fail, the others are removed
/// all the same, each failure is reported, and the first one's code is the program's.
int run(const Global &global, const Remove &options) {
  const std::vector<Outcome> outcomes = open_target(global)->remove(options.keys);
  Output out;
  int code = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome &outcome = outcomes[i];
    if (outcome.status == Status::ok || outcome.status == Status::not_found) {
      if (global.json) out.json(boost::json::object{{"key", Key(options.keys[i]).view()}});
      continue;
    }
    const int failed = report(global, Error(outcome.status, outcome.message));
    if (code == 0) code = failed;
  }
  out.flush();
  return code;
}

} // namespace omnistore::cli
