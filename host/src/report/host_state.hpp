// SPDX-License-Identifier: Apache-2.0
// The reports of a running host as plain data: the service fills them in, and describe() and metrics_text() show them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::report {

/// The counters of a listener since its start.
struct ListenerStats {
  std::string name;                         ///< "http", "admin"
  std::string address;                      ///< "127.0.0.1:7700"
  std::uint64_t open = 0;                   ///< connections now
  std::uint64_t accepted = 0;               ///< connections
  std::uint64_t refused = 0;                ///< connections over the limit
  std::uint64_t timed_out = 0;              ///< connections that were closed since they were slow or idle
  std::array<std::uint64_t, 5> responses{}; ///< by class: 1xx to 5xx
  std::uint64_t accept_failures = 0;        ///< times that no connection could be accepted
  std::uint64_t wrong_tokens = 0;           ///< requests with an unknown token
  std::uint64_t limited = 0;                ///< requests and connections over the limits of one client
  std::int64_t certificate_end = 0;         ///< Unix seconds; 0: there is no TLS
};

/// How reloads of the config went since the host was started.
struct ReloadStats {
  std::uint64_t done = 0, failed = 0;
  bool last_failed = false;
  std::int64_t last_done = 0; ///< Unix milliseconds: the last successful reload, or the start
};

/// The worker pool of the data listener.
struct ThreadStats {
  struct Lane {
    std::string name;
    std::uint64_t store = 0;
    bool long_values = false;
    std::size_t working = 0, waiting = 0, stuck = 0;
  };
  std::size_t threads = 0, idle = 0, stuck = 0, waiting = 0;
  std::vector<Lane> lanes; ///< those that have work
};

/// The memory of the data listener's connections, requests and responses, in bytes.
struct MemoryStats {
  std::uint64_t used = 0, most = 0, peak = 0;
  std::uint64_t spare = 0;   ///< kept for the next long value
  std::uint64_t refused = 0; ///< how often there was not enough
};

/// The state of the host, without its stores.
struct HostState {
  bool stopping = false;
  ReloadStats reloads;
  std::vector<ListenerStats> listeners;
  ThreadStats threads;
  MemoryStats memory;
};

/// The outcome of a reload, or the outcome that it would have.
struct Reload {
  std::vector<MountChange> mounts; ///< by mountpoint
  std::vector<std::string> now;    ///< fields beside the mounts whose new values take effect with the reload
  std::vector<std::string> later;  ///< fields whose new values take effect when the host is started again
  /// The line and column of each mount in the config's text.
  std::map<std::string, std::pair<unsigned, unsigned>> places;
  bool has_changes() const;
};

/// "added", "kept", ...
std::string_view change_name(MountChange::Kind kind);

} // namespace omnistore::report
