// SPDX-License-Identifier: Apache-2.0
// The servers of a store: a single one, or those of a cluster.
#pragma once

#include <memory>
#include <vector>

#include "connection/client.hpp"
#include "servers/cluster.hpp"

namespace redis {

/// Thread-safe.
class Servers {
public:
  /// Without `seeds` (Cluster) there is a single server.
  Servers(const omnistore_host &host, const ClientSettings &settings, const std::vector<Endpoint> &seeds)
      : settings_(settings), client_(seeds.empty() ? std::make_unique<Client>(host, settings) : nullptr),
        cluster_(seeds.empty() ? nullptr : std::make_unique<Cluster>(host, settings, seeds)) {}

  /// As Client::run. For a cluster the commands need units.
  Replies run(omnistore::Call call, Commands &commands, OnBroken on_broken) {
    return cluster_ ? cluster_->run(call, commands, on_broken) : client_->run(call, commands, on_broken);
  }
  void open(omnistore::Call call) { cluster_ ? cluster_->open(call) : client_->open(call); }
  /// Returns the servers that together have all keys. Throws Failure.
  std::vector<Client *> masters(omnistore::Call call) {
    return cluster_ ? cluster_->map(call)->masters : std::vector<Client *>{client_.get()};
  }
  /// Returns null if there is a single server.
  Cluster *cluster() { return cluster_.get(); }
  /// Returns the number of connections on which somebody waits.
  std::size_t in_use() const { return cluster_ ? cluster_->in_use() : client_->in_use(); }

  const ClientSettings &settings() const { return settings_; }

private:
  const ClientSettings settings_;
  const std::unique_ptr<Client> client_;
  const std::unique_ptr<Cluster> cluster_;
};

} // namespace redis
