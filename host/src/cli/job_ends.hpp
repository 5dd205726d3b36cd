// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <omnistore/storage.hpp>

#include "cli/options.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/shared_keys.hpp"

namespace omnistore::cli {

/// The storages that a job works on: a config's, or a running host as a storage whose root mount is the driver http.
/// Both ends that are named alike are one storage.
class JobEnds {
public:
  /// Opens what it needs; the second end may be left out. Starts the log. Throws.
  JobEnds(const Global &global, const JobEnd &from, const JobEnd *to);

  jobs::Endpoint from() const { return end(*from_, from_name_, from_config_, from_base_); }
  jobs::Endpoint to() const { return end(*to_, to_name_, to_config_, to_base_); }

private:
  static jobs::Endpoint end(Storage &storage, const std::string &name, const Config &config, const std::string &base) {
    jobs::Endpoint result(storage, base);
    result.name = name;
    result.places = jobs::places_of(config, result.base);
    return result;
  }

  std::string from_base_, to_base_, from_name_, to_name_;
  Config from_config_, to_config_;
  std::shared_ptr<Storage> from_, to_;
};

} // namespace omnistore::cli
