// SPDX-License-Identifier: Apache-2.0
// Manual pages (man(7)), made from what the parser knows of the command line, and from schemas.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "cli/completion.hpp"

namespace omnistore::cli {

struct ManualPage {
  std::string name; ///< "omnistore-get"
  int section = 1;
  std::string summary;
  std::string text; ///< of the file
};

/// Returns the page of the program and those of its commands.
std::vector<ManualPage> command_pages(const Completed &line);
/// Returns the page of config files.
ManualPage config_page();
/// Returns the page of a driver in the form of report::describe.
ManualPage driver_page(const boost::json::object &driver);

} // namespace omnistore::cli
