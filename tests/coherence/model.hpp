// SPDX-License-Identifier: Apache-2.0
// The model of config/distributed/SCALE.md, and the simulation without failures that it is compared with.
#pragma once

#include <cstdint>

#include "simulation.hpp"

namespace sim {

/// A read is a hit if the last operation on its key, among this host's reads and all hosts' writes, was such a read.
inline double hit_ratio(double hosts, double writes) { return (1 - writes) / (1 - writes + hosts * writes); }

/// A read requests the value if that operation was another host's write. After an own write it requests the meta alone.
inline double fetch_ratio(double hosts, double writes) { return (1 - hit_ratio(hosts, writes)) * (hosts - 1) / hosts; }

inline double part(std::uint64_t some, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(some) / static_cast<double>(all);
}

/// Returns what happens in `steps` operations once the hosts have copies. A unit of time is a microsecond.
inline Counts steady(std::uint32_t hosts, double writes, std::uint64_t steps) {
  Settings settings;
  settings.hosts = hosts;
  settings.keys = 20;
  settings.writes = writes;
  settings.failures = false;
  settings.max_lag = 5'000'000, settings.ping_interval = 1'000'000, settings.ping_limit = 4'000'000;
  settings.longest_delay = 500;
  settings.tick = 200'000 / hosts; // each host has ten operations a second
  settings.slots = 4096;
  Simulation<> world(settings, 1);
  world.run(steps);
  Counts before = world.counts();
  world.run(steps);
  const Counts after = world.counts();
  before.reads = after.reads - before.reads, before.hits = after.hits - before.hits;
  before.gets = after.gets - before.gets, before.checks = after.checks - before.checks;
  before.events = after.events - before.events, before.writes = after.writes - before.writes;
  before.bypasses = after.bypasses - before.bypasses;
  return before;
}

} // namespace sim
