// SPDX-License-Identifier: Apache-2.0
#include "servers/options.hpp"

#include <memory>
#include <string>

namespace redis {
namespace {

constexpr const char *default_url = "redis://127.0.0.1:6379";

TlsOptions tls_of(const omnistore::Options &options) {
  return {options.string("ca", ""), options.string("cert", ""), options.string("key", ""),
          options.string("serverName", "")};
}

Endpoint endpoint_of(const omnistore::Options &options) {
  Endpoint endpoint = parse_url(options.string("url", default_url));
  const TlsOptions tls = tls_of(options);
  check_tls(endpoint, tls);
  if (endpoint.secure) endpoint.tls = std::make_shared<const TlsSettings>(tls);
  return endpoint;
}

constexpr std::uint16_t sentinel_port = 26379, server_port = 6379;

/// Reads the options of sentinels. Each sentinel has TLS if the server has.
Sentinels sentinels_of(const omnistore::Options &options, const Endpoint &endpoint) {
  Sentinels result;
  result.master = options.string("master", "");
  const std::string user = options.string("sentinelUser", ""), password = options.string("sentinelPassword", "");
  for (const std::string &each : options.strings("sentinels", std::vector<std::string>{})) {
    Endpoint &sentinel = result.addresses.emplace_back(parse_address("sentinels", each, sentinel_port));
    sentinel.user = user;
    sentinel.password = password;
    sentinel.has_password = !password.empty();
    sentinel.secure = endpoint.secure;
    sentinel.tls = endpoint.tls;
  }
  if (result.addresses.empty() != result.master.empty())
    throw omnistore::Failure(OMNISTORE_INVALID, result.master.empty()
                                                    ? "option sentinels: the option master names what they watch over"
                                                    : "option master: the option sentinels lists who knows it");
  if (result.addresses.empty() && (!user.empty() || !password.empty()))
    throw omnistore::Failure(OMNISTORE_INVALID, "option sentinels: there are none to log in to");
  if (password.empty() && !user.empty())
    throw omnistore::Failure(OMNISTORE_INVALID, "option sentinelUser: the option sentinelPassword belongs to it");
  if (!result.addresses.empty() && options.boolean("cluster", false))
    throw omnistore::Failure(OMNISTORE_INVALID, "option cluster: a cluster has no sentinels");
  if (!result.addresses.empty() && endpoint.host.empty())
    throw omnistore::Failure(OMNISTORE_INVALID, "option sentinels: the url is that of a unix socket");
  return result;
}

} // namespace

ClientSettings client_settings(const omnistore::Options &options) {
  const Endpoint endpoint = endpoint_of(options);
  return {endpoint,
          sentinels_of(options, endpoint),
          milliseconds(options.integer("connectTimeout", 1000)),
          milliseconds(options.integer("commandTimeout", 2000)),
          static_cast<std::size_t>(options.integer("poolSize", 2)),
          options.boolean("cluster", false)};
}

std::vector<Endpoint> seeds_of(const omnistore::Options &options) {
  std::vector<Endpoint> seeds;
  const std::vector<std::string> nodes = options.strings("nodes", std::vector<std::string>{});
  if (!options.boolean("cluster", false)) {
    if (nodes.empty()) return seeds;
    throw omnistore::Failure(OMNISTORE_INVALID, "option nodes: they are servers of a cluster; set cluster to true");
  }
  const Endpoint endpoint = parse_url(options.string("url", default_url));
  if (endpoint.host.empty())
    throw omnistore::Failure(OMNISTORE_INVALID, "option cluster: the url is that of a unix socket");
  if (endpoint.database != 0) throw omnistore::Failure(OMNISTORE_INVALID, "option cluster: it has only the database 0");
  seeds.push_back(endpoint);
  for (const std::string &each : nodes) seeds.push_back(parse_address("nodes", each, server_port));
  return seeds;
}

void check_options(const omnistore::Options &options) {
  const Endpoint endpoint = parse_url(options.string("url", default_url));
  check_tls(endpoint, tls_of(options));
  sentinels_of(options, endpoint);
  seeds_of(options);
}

} // namespace redis
