// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <omnistore/config.hpp>
#include <omnistore/storage.hpp>

#include "loader/registry.hpp"
#include "service/server.hpp"

#include "client.hpp"

namespace test {

/// A config with memory at the root, whose listeners take any free port.
inline omnistore::Config memory_config() {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_BUILD "/plugins", OMNISTORE_BUILD "/tests/plugins"};
  config.mounts[""].store.driver = "memory";
  config.http.listen = "127.0.0.1:0";
  config.http.threads = 2;
  config.admin.listen = "127.0.0.1:0";
  return config;
}

/// A running host.
class Host {
public:
  explicit Host(const omnistore::Config &config = memory_config())
      : registry(std::make_shared<omnistore::loader::Registry>(omnistore::loader::search_paths(config))),
        storage(config, registry), reloader(storage, config, {[config] { return config; }, {}, {}}), server(reloader) {
    server.start();
  }

  std::string http() const { return server.http_address(); }
  std::string admin() const { return server.admin_address(); }

  std::shared_ptr<omnistore::loader::Registry> registry;
  omnistore::Storage storage;
  omnistore::service::Reloader reloader;
  omnistore::service::Server server;
};

} // namespace test
