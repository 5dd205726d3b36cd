// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <omnistore/storage.hpp>

#include "storage/fixture.hpp"
#include "support/temporary.hpp"

namespace test {

/// An empty folder to work in, as a reader of the guide has it: configs name files below it.
class Workplace {
public:
  Workplace() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder_.path()); }
  ~Workplace() { std::filesystem::current_path(before_); }
  Workplace(const Workplace &) = delete;
  Workplace &operator=(const Workplace &) = delete;

private:
  std::filesystem::path before_;
  Folder folder_;
};

/// config/guide/NAME.jsonc as though it stood in the working folder, at which its relative paths then start, with these
/// variables in its environment and no others.
inline omnistore::Config guide_config(const std::string &name, const std::map<std::string, std::string> &variables = {},
                                      const std::string &profile = "") {
  const std::string file = name + ".jsonc";
  return omnistore::Config::parse(read_file(OMNISTORE_SOURCE "/config/guide/" + file), file, profile,
                                  [&](const std::string &variable) -> std::optional<std::string> {
                                    const auto found = variables.find(variable);
                                    return found == variables.end() ? std::nullopt : std::optional(found->second);
                                  });
}

/// A storage from it.
inline omnistore::Storage guide(const std::string &name, const std::map<std::string, std::string> &variables = {},
                                const std::string &profile = "") {
  return omnistore::Storage(guide_config(name, variables, profile));
}

} // namespace test
