// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include <boost/json/object.hpp>
#include <unistd.h>

#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

void confirm(const std::string &base, const Stores &stores) {
  std::cerr << "Remove every key under " << base::key_text(base) << " in " << base::printable(stores.name())
            << "? [y/N] " << std::flush;
  std::string reply;
  if (!std::getline(std::cin, reply)) std::cerr << '\n'; // nobody ended the line of the question
  if (reply != "y" && reply != "Y" && reply != "yes") throw Failure(Status::invalid, "clear: nothing was removed", "");
}

} // namespace

int run(const Global &global, const Clear &options) {
  const std::string base = normal_base(options.base);
  if (base.empty() && !options.yes)
    throw Failure(Status::invalid, "clear: the empty base is every key of every mount",
                  "add -y if that is meant, or name a base");
  const Stores stores(global);
  if (!options.yes && is_terminal(STDIN_FILENO) && is_terminal(STDERR_FILENO)) confirm(base, stores);
  const std::uint64_t removed = stores->clear(base, limited(CallOptions()));
  Output out;
  if (global.json)
    out.json(boost::json::object{{"base", base}, {"removed", removed}});
  else if (!global.quiet)
    out.line("removed " + std::to_string(removed) + (removed == 1 ? " key" : " keys"));
  out.flush();
  return 0;
}

} // namespace omnistore::cli
