// SPDX-License-Identifier: Apache-2.0
#include "cli/stores.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <omnistore/pem_file.hpp>

#include "cli/find_config.hpp"
#include "cli/host_url.hpp"
#include "cli/log.hpp"
#include "config/names.hpp"

namespace omnistore::cli {

namespace {

void check_file(const char *option, const std::string &file, Pem wanted) {
  if (const std::string why = file.empty() ? file : pem_problem(file, wanted); !why.empty())
    throw Error(Status::invalid, std::string(option) + " " + file + ": " + why);
}

} // namespace

Config config_of_host(const Global &global) {
  parse_host_url(global.url); // the driver's messages would name its options
  check_file("--ca", global.ca, Pem::certificate);
  check_file("--cert", global.certificate, Pem::certificate);
  check_file("--key", global.key, Pem::key);
  Config config;
  if (!global.config.empty()) config = load_config(global);
  config.mounts.clear();
  config.prefix.clear();
  config.ttl = 0;
  // A value of any length may come: only a host that sends nothing is given up.
  boost::json::object options{{"base", global.url},      {"omnistore", true},    {"timeout", "365d"},
                              {"connectTimeout", "10s"}, {"idleTimeout", "60s"}, {"maxConnections", 64}};
  if (!global.ca.empty()) options["ca"] = global.ca;
  if (!global.certificate.empty()) options["certificate"] = global.certificate;
  if (!global.key.empty()) options["key"] = global.key;
  if (!global.token.empty()) options["headers"] = boost::json::object{{"Authorization", "Bearer " + global.token}};
  config.mounts[""].store.driver = "http";
  config.mounts[""].store.options = boost::json::serialize(options);
  return config;
}

Stores::Stores(const Global &global) {
  const Config config = global.remote() ? config_of_host(global) : load_config(global);
  name_ = global.remote() ? config::without_passwords(global.url) : config.file;
  if (global.remote()) {
    keep_secret(global.token);
    address_ = parse_host_url(global.url).address();
    waits_ = std::make_unique<WaitsForHost>(address_);
  }
  start_log(config, global);
  storage_ = std::make_unique<Storage>(config);
}

} // namespace omnistore::cli
