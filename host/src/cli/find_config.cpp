// SPDX-License-Identifier: Apache-2.0
#include "cli/find_config.hpp"

#include <cstdlib>
#include <filesystem>

#include "cli/failure.hpp"

namespace omnistore::cli {
namespace {

std::vector<std::string> places() {
  const auto variable = [](const char *name) {
    const char *value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::vector<std::string> result{"omnistore.jsonc"};
  if (const std::string folder = variable("XDG_CONFIG_HOME"); !folder.empty())
    result.push_back(folder + "/omnistore/omnistore.jsonc");
  else if (const std::string home = variable("HOME"); !home.empty())
    result.push_back(home + "/.config/omnistore/omnistore.jsonc");
  result.push_back("/etc/omnistore/omnistore.jsonc");
  return result;
}

} // namespace

std::string find_config(const Global &global) {
  std::error_code ignored;
  if (!global.config.empty()) {
    if (std::filesystem::exists(global.config, ignored)) return global.config;
    throw Failure(Status::invalid, "config " + global.config + ": there is no such file",
                  "name another one with --config, or work on a running host with --url");
  }
  std::string tried;
  for (const std::string &place : places()) {
    if (std::filesystem::exists(place, ignored)) return place;
    tried += (tried.empty() ? "" : ", ") + place;
  }
  throw Failure(Status::invalid, "there is no config; tried " + tried,
                "write one of these, name one with --config, or work on a running host with --url");
}

Config load_config(const Global &global) { return Config::load(find_config(global), global.profile); }

} // namespace omnistore::cli
