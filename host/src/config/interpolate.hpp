// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// The sources of the values that replace variables.
struct Sources {
  const Config::Environment &environment;     ///< null: no variable is set, and no file is read
  std::string folder;                         ///< relative paths of files start there
  std::map<std::string, std::string> files{}; ///< the files that the texts name and their contents, by absolute path
};

/// Replaces variables in the texts of a tree, but not in names:
///
///   ${NAME}             the environment variable NAME
///   ${file:PATH}        the text of a file without the newline at its end. Variables in PATH are replaced
///   ${credential:NAME}  the text of the file NAME in the folder $CREDENTIALS_DIRECTORY (LoadCredential= of systemd)
///
/// Each may have a default: ${NAME:-default}. The default is used if the variable or the file does not exist or is
/// empty. It may contain variables with defaults of their own. It ends at the '}' that closes its `${`, so braces in it
/// must come in pairs.
///
/// `$${` stands for a plain `${`, and any other `$` for itself. The value of a variable is not searched for further
/// variables. A variable that has neither a value nor a default is a problem.
void interpolate(TextNode &node, const std::string &path, Sources &sources, std::vector<Problem> &problems);

/// Reports malformed variables in the texts of a tree. No variable needs to be set.
void check_variables(const TextNode &node, const std::string &path, std::vector<Problem> &problems);

} // namespace omnistore::config
