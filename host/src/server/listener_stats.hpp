// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/memory_budget.hpp"
#include "server/pool.hpp"

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
  std::uint64_t accept_failures = 0;        ///< times that no connection could be accepted
  std::uint64_t wrong_tokens = 0;           ///< requests with a token that is not known
};

/// How reloads of the config went since the host was started.
struct ReloadStats {
  std::uint64_t done = 0, failed = 0;
  bool last_failed = false;
  std::int64_t last_done = 0; ///< Unix milliseconds, the start counts: since then the config that holds does
};

/// How the host is, beside its stores.
struct HostState {
  bool stopping = false;
  ReloadStats reloads;
  std::vector<ListenerStats> listeners;
  Pool::Stats threads;        ///< of the data listener's work that may wait
  MemoryBudget::Stats memory; ///< of its requests and answers
};

} // namespace omnistore::server
