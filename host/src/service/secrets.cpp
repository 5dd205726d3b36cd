// SPDX-License-Identifier: Apache-2.0
#include "service/secrets.hpp"

#include <boost/json/parse.hpp>

#include <omnistore/error.hpp>

#include "config/secrets.hpp"

namespace omnistore::service {
namespace {

void add_secrets(const StoreConfig &store, loader::Registry &registry, std::vector<std::string> &secrets) {
  for (const StoreConfig &child : store.children) add_secrets(child, registry, secrets);
  boost::system::error_code broken;
  const boost::json::value options = boost::json::parse(store.options, broken);
  if (broken) return;
  try {
    config::add_secrets(registry.find(store.driver)->schema, options, secrets);
  } catch (const Error &) {
    // The storage reports why the driver cannot be used.
  }
}

} // namespace

std::vector<std::string> secrets_of(const Config &config, loader::Registry &registry) {
  std::vector<std::string> secrets;
  for (const auto &[mountpoint, mount] : config.mounts) add_secrets(mount.store, registry, secrets);
  return secrets;
}

} // namespace omnistore::service
