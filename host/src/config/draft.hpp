// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <omnistore/config.hpp>

namespace omnistore {

/// A config as far as it can be understood, and everything that is wrong in it. If there are problems, a field that is
/// wrong has its default, and a store whose driver is not known has none ("").
struct Draft {
  Draft() = default;
  Draft(Config from) : config(std::move(from)) {} // NOLINT(google-explicit-constructor): a config is a finished draft

  Config config;
  std::vector<Problem> problems;
  std::vector<std::string> secrets; ///< the tokens, in whatever form they were written: finish() shows none of them

  /// Adds a problem, with the line and column of its path if it has none.
  void add(Problem problem);
  /// The config. Throws ConfigError with the problems in the order of the text, of each path only the first, since
  /// others mostly follow from it.
  Config finish() &&;
};

/// Whether there is a problem with this path, or with a part of it if `parts`.
bool has_problem(const std::vector<Problem> &problems, const std::string &path, bool parts);

/// As Config::parse and Config::load, but a config that is wrong is no error. load_draft throws Error if the file
/// cannot be read.
Draft parse_draft(std::string_view text, const std::string &file, std::string_view profile,
                  const Config::Environment &environment);
Draft load_draft(const std::string &file, std::string_view profile);

/// The folder that relative paths of a config start at: the folder of the file as it was named, or the working folder
/// if the config has no file or came through a pipe or the terminal.
std::string folder_of_config(const std::string &file);

} // namespace omnistore
