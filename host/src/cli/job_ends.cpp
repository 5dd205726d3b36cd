// SPDX-License-Identifier: Apache-2.0
#include "cli/job_ends.hpp"

#include <filesystem>

#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/log.hpp"
#include "cli/stores.hpp"
#include "config/names.hpp"

namespace omnistore::cli {
namespace {

/// The global options with what the end says in their place.
Global at_end(const Global &global, const JobEnd &end) {
  if (!end.url.empty() && (!end.config.empty() || !end.profile.empty()))
    throw Failure(Status::invalid, "a config and a URL were both given for one end", "leave one of them out");
  Global result = global;
  if (!end.token.empty()) result.token = end.token;
  if (!end.url.empty()) {
    result.url = end.url;
  } else if (!end.config.empty() || !end.profile.empty()) {
    result.url.clear();
    if (!end.config.empty()) {
      result.config = end.config;
      result.profile.clear();
    }
    if (!end.profile.empty()) result.profile = end.profile;
  }
  return result;
}

std::shared_ptr<Storage> open_end(const Global &global, std::string &name, Config &config) {
  config = global.remote() ? config_of_host(global) : load_config(global);
  if (global.remote()) {
    name = config::without_passwords(global.url);
    while (name.ends_with('/')) name.pop_back();
    keep_secret(global.token);
  } else {
    std::error_code ignored;
    name = std::filesystem::weakly_canonical(config.file, ignored).string();
    if (!config.profile.empty()) name += ", profile " + config.profile;
  }
  start_log(config, global);
  return std::make_shared<Storage>(config);
}

/// Returns true if two ends are one storage, before either is opened.
bool same_place(const Global &one, const Global &other) {
  if (one.remote() || other.remote()) return one.url == other.url;
  if (one.profile != other.profile) return false;
  std::error_code ignored;
  return one.config == other.config || std::filesystem::equivalent(find_config(one), find_config(other), ignored);
}

} // namespace

JobEnds::JobEnds(const Global &global, const JobEnd &from, const JobEnd *to) : from_base_(from.base) {
  const Global first = at_end(global, from);
  from_ = open_end(first, from_name_, from_config_);
  if (!to) return;
  to_base_ = to->base;
  const Global second = at_end(global, *to);
  if (same_place(first, second)) {
    to_ = from_;
    to_name_ = from_name_;
    to_config_ = from_config_;
  } else {
    to_ = open_end(second, to_name_, to_config_);
  }
}

} // namespace omnistore::cli
