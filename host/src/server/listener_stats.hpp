// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace omnistore::server {

/// What a listener did since it was started.
struct ListenerStats {
  std::string name;                         ///< "http", "admin"
  std::string address;                      ///< "127.0.0.1:7700"
  std::uint64_t open = 0;                   ///< connections now
  std::uint64_t accepted = 0;               ///< connections
  std::uint64_t refused = 0;                ///< connections over the limit
  std::uint64_t timed_out = 0;              ///< connections that were closed since they were slow or idle
  std::array<std::uint64_t, 5> responses{}; ///< by class: 1xx to 5xx
};

/// How the host's listeners are.
struct HostState {
  bool stopping = false;
  std::vector<ListenerStats> listeners;
};

} // namespace omnistore::server
