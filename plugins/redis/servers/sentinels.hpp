// SPDX-License-Identifier: Apache-2.0
// The sentinels that watch over a master.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection/connection.hpp"

namespace redis {

/// The sentinels, and the name that they call the master by.
struct Sentinels {
  std::vector<Endpoint> addresses;
  std::string master;
};

/// The address of a master.
struct MasterAddress {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const MasterAddress &) const = default;
};

/// Requests the master's address from a sentinel. Returns nothing if it does not know the name. Throws Failure, and
/// BrokenConnection.
std::optional<MasterAddress> request_master(Connection &sentinel, const std::string &name, Clock::time_point deadline);

} // namespace redis
