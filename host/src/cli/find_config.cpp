// SPDX-License-Identifier: Apache-2.0
#include "cli/find_config.hpp"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "cli/failure.hpp"
#include "cli/streams.hpp"
#include "config/draft.hpp"
#include "storage/plan.hpp"

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

/// Returns the first of them that exists; empty if none does. Adds them to `tried`.
std::string first_place(std::string *tried = nullptr) {
  std::error_code ignored;
  for (const std::string &place : places()) {
    if (std::filesystem::exists(place, ignored)) return place;
    // A place that cannot be looked at may hold a config. Its reader then reports the error.
    if (ignored && ignored != std::errc::permission_denied) return place;
    if (tried) *tried += (tried->empty() ? "" : ", ") + place;
  }
  return {};
}

} // namespace

std::string find_config(const Global &global) {
  if (!global.config.empty()) {
    if (global.config == "-" && was_closed(STDIN_FILENO))
      throw Failure(Status::invalid, "read the config from standard input: it is closed",
                    "give it with < or |, or name a file");
    if (global.config == "-") return "/dev/stdin";
    if (std::error_code failed; std::filesystem::exists(global.config, failed) || failed) return global.config;
    throw Failure(Status::invalid, "config " + global.config + ": there is no such file",
                  "name another one with --config, or work on a running host with --url");
  }
  std::string tried;
  if (const std::string place = first_place(&tried); !place.empty()) return place;
  throw Failure(Status::invalid, "there is no config; tried " + tried,
                "write one of these, name one with --config, or work on a running host with --url");
}

std::shared_ptr<loader::Registry> open_registry(const Config &config) {
  return std::make_shared<loader::Registry>(loader::search_paths(config));
}

Config config_or_none(const Global &global) {
  const bool named = !global.config.empty() || !global.profile.empty();
  return named || !first_place().empty() ? load_config(global) : Config{};
}

std::shared_ptr<loader::Registry> registry_of(const Global &global) { return open_registry(config_or_none(global)); }

std::string lock_beside(const std::string &config) {
  return config.empty() ? std::string() : (std::filesystem::path(config).parent_path() / "omnistore.lock").string();
}

Config load_config(const Global &global) {
  Draft draft = load_draft(find_config(global), global.profile);
  // The opening of the stores of an otherwise right config finds their errors.
  if (!draft.problems.empty()) check_stores(draft, *open_registry(draft.config));
  return std::move(draft).finish();
}

} // namespace omnistore::cli
