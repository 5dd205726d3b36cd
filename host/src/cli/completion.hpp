// SPDX-License-Identifier: Apache-2.0
// Scripts that let a shell complete the command line, made from what the parser knows of it. The manual pages
// (manual_page.hpp) are made from the same.
#pragma once

#include <string>
#include <vector>

namespace omnistore::cli {

/// The kind of word at a place of the line.
struct Candidates {
  enum class Kind {
    any,     ///< nothing is offered
    files,   ///< files and folders
    keys,    ///< keys of a running host; of a config none, whose stores would have to be opened for it
    drivers, ///< those that there are
    words    ///< one of these
  };
  Kind kind = Kind::any;
  std::vector<std::string> words{};
};

struct CompletedOption {
  std::vector<std::string> names; ///< "-c", "--config"
  std::string summary;
  std::string value; ///< what its value is called; empty: it takes none
  Candidates candidates{};
};

struct CompletedPlace {
  std::string name, summary;
  bool repeats = false;
  bool required = false;
  Candidates candidates{};
};

struct CompletedCommand {
  std::string name, summary;
  std::string explanation; ///< the rest of its help, with examples
  std::vector<CompletedOption> options;
  std::vector<CompletedPlace> places;
};

/// The whole command line.
struct Completed {
  std::string summary, explanation;
  std::vector<CompletedOption> options; ///< that go with every command
  std::vector<CompletedCommand> commands;
};

std::string bash_completion(const Completed &line);
std::string zsh_completion(const Completed &line);
std::string fish_completion(const Completed &line);

} // namespace omnistore::cli
