// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include <omnistore/config.hpp>
#include <omnistore/storage.hpp>

#include "loader/registry.hpp"
#include "server/guard.hpp"
#include "server/listener_stats.hpp"
#include "server/message.hpp"

namespace omnistore::server {

/// How the host is, over HTTP. All paths are for GET and HEAD:
///
///     /         what is here
///     /health   200 as long as the process serves
///     /ready    200 when every mount that must be there is; 503 with the reasons, and while the host stops
///     /metrics  counters and latencies in Prometheus' text format
///     /stats    the same as JSON
///     /mounts   what is mounted where, and what each store can do
///     /drivers  the drivers that there are, and the plugin files that could not be used
///
/// Where the config has tokens, any of them opens all paths; /health and /ready need none, and tell their status alone
/// without one.
class AdminRoutes final : public Routes {
public:
  /// `state` may be called on any thread.
  AdminRoutes(Storage &storage, loader::Registry &registry, const Config &config, Guard guard,
              std::function<HostState()> state);

  bool admit(Request &request, Response &response) override;
  std::string lane(const Request &request) override;
  void answer(Request &request, Response &response) noexcept override;

private:
  using Handler = void (AdminRoutes::*)(const Request &, Response &);
  struct Path;
  static const Path *find(std::string_view path);

  void index(const Request &request, Response &response);
  void health(const Request &request, Response &response);
  void ready(const Request &request, Response &response);
  void metrics(const Request &request, Response &response);
  void stats(const Request &request, Response &response);
  void mounts(const Request &request, Response &response);
  void drivers(const Request &request, Response &response);

  Storage &storage_;
  loader::Registry &registry_;
  const Config &config_;
  const Guard guard_;
  const std::function<HostState()> state_;
};

} // namespace omnistore::server
