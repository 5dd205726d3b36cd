// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/config.hpp>

namespace omnistore {

/// A config, as far as it is valid, and all of its problems. A wrong field has its default, and a store with an unknown
/// driver has the driver "".
struct Draft {
  Draft() = default;
  Draft(Config from) : config(std::move(from)) {} // NOLINT(google-explicit-constructor): a config is a finished draft

  Config config;
  std::vector<Problem> problems;
  std::map<std::string, std::string> files; ///< those of ${file:...} and their contents, by absolute path
  std::vector<std::string>
      secrets; ///< the tokens, even malformed ones, and those contents: finish() shows none of them

  /// Adds a problem, with the line and column of its path if it has none.
  void add(Problem problem);
  /// Returns the config. Throws ConfigError with the problems in the order of the text, and only the first one of each
  /// path, since the others mostly follow from it.
  Config finish() &&;
};

/// Returns true if there is a problem with this path, or, with `parts`, with a part of it.
bool has_problem(const std::vector<Problem> &problems, const std::string &path, bool parts);

/// Like Config::parse and Config::load, but they also return a config with problems. load_draft throws Error if the
/// file cannot be read.
Draft parse_draft(std::string_view text, const std::string &file, std::string_view profile,
                  const Config::Environment &environment);
Draft load_draft(const std::string &file, std::string_view profile);

/// Returns the folder that relative paths of a config start at: the folder of the file as it was named, or the working
/// folder if the config has no file or came through a pipe or the terminal.
std::string folder_of_config(const std::string &file);

} // namespace omnistore
