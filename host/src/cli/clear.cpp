// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include <boost/json/object.hpp>
#include <unistd.h>

#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

void ask(const std::string &base, const Target &target) {
  std::cerr << "Remove every key under " << base::key_text(base) << " in " << base::printable(target.name())
            << "? [y/N] " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) std::cerr << '\n'; // nobody ended the line of the question
  if (answer != "y" && answer != "Y" && answer != "yes")
    throw Failure(Status::invalid, "clear: nothing was removed", "");
}

} // namespace

int run(const Global &global, const Clear &options) {
  const std::string base = normal_base(options.base);
  if (base.empty() && !options.yes)
    throw Failure(Status::invalid, "clear: the empty base is every key of every mount",
                  "add -y if that is meant, or name a base");
  const auto target = open_target(global);
  if (!options.yes && is_terminal(STDIN_FILENO) && is_terminal(STDERR_FILENO)) ask(base, *target);
  const std::optional<std::uint64_t> removed = target->clear(base);
  Output out;
  if (global.json)
    out.json(boost::json::object{{"base", base}, {"removed", removed ? boost::json::value(*removed) : nullptr}});
  else if (removed && !global.quiet)
    out.line("removed " + std::to_string(*removed) + (*removed == 1 ? " key" : " keys"));
  out.flush();
  return 0;
}

} // namespace omnistore::cli
