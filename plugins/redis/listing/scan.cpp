// SPDX-License-Identifier: Apache-2.0
#include "listing/scan.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace redis {
namespace {

constexpr unsigned max_starts = 10;

/// Scans one server. Returns false if the connection changed: after a restart of the server its cursor may mean
/// something else.
bool scan_server(Client &server, omnistore::Call call, const std::string &pattern, std::uint32_t step,
                 const TakeNames &take) {
  const std::uint64_t epoch = server.epoch();
  std::vector<std::string_view> names;
  for (std::string cursor = "0";;) {
    Commands commands;
    commands.add("SCAN", cursor, "MATCH", pattern, "COUNT", step, "TYPE", "string");
    const Replies replies = server.run(call, commands, OnBroken::resend);
    if (server.epoch() != epoch) return false;
    redisReply *const *parts = array_of(*replies[0], 2);
    cursor = string_of(*parts[0]);
    names.clear();
    for (std::size_t i = 0; i < parts[1]->elements; ++i) names.push_back(string_of(*parts[1]->element[i]));
    take(names);
    if (cursor == "0") return true;
  }
}

void scan_all(Client &server, omnistore::Call call, const std::string &pattern, std::uint32_t step,
              const TakeNames &take) {
  for (unsigned start = 0; start < max_starts; ++start)
    if (scan_server(server, call, pattern, step, take)) return;
  throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                           server.server().shown() + ": the connection broke again and again while it was listed");
}

/// Calls take(names) with those of a slot's strings that one server has.
void scan_slot(Cluster &cluster, Client &server, omnistore::Call call, std::uint16_t slot, const TakeNames &take) {
  Commands commands;
  commands.add("CLUSTER", "GETKEYSINSLOT", slot, INT32_MAX);
  const Replies replies = server.run(call, commands, OnBroken::resend);
  const redisReply &found = not_error(*replies[0]);
  if (found.elements == 0) return;
  Commands types;
  types.route(slot);
  for (std::size_t i = 0; i < found.elements; ++i) types.add("TYPE", string_of(*found.element[i]));
  const Replies kinds = cluster.run(call, types, OnBroken::resend);
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < found.elements; ++i)
    if (text_of(not_error(*kinds[i])) == "string") names.push_back(string_of(*found.element[i]));
  take(names);
}

/// While the masters are scanned one after the other, a key may move from one that is not scanned yet to one that
/// was. So the slots that move, or have moved, are read once more at the end: first at their owner, then at the others,
/// since keys move only away from the owner.
void scan_cluster(Cluster &cluster, omnistore::Call call, const std::string &pattern, std::uint32_t step,
                  const TakeNames &take) {
  const auto before = cluster.refresh(call, cluster.map(call), true);
  const auto moving = cluster.moving_slots(call, *before);
  std::set<std::uint16_t> slots(moving.begin(), moving.end());
  for (Client *master : before->masters) scan_all(*master, call, pattern, step, take);
  const auto still = cluster.moving_slots(call, *before);
  slots.insert(still.begin(), still.end());
  const auto after = cluster.refresh(call, before, true);
  for (std::uint16_t slot = 0; slot < slot_count; ++slot)
    if (before->owners[slot] != after->owners[slot]) slots.insert(slot);
  for (const std::uint16_t slot : slots) {
    Client *const owner = after->owners[slot];
    if (owner) scan_slot(cluster, *owner, call, slot, take);
    for (Client *master : after->masters)
      if (master != owner) scan_slot(cluster, *master, call, slot, take);
  }
}

} // namespace

void scan(Servers &servers, omnistore::Call call, const std::string &pattern, std::uint32_t step,
          const TakeNames &take) {
  Cluster *const cluster = servers.cluster();
  if (!cluster) return scan_all(*servers.masters(call).front(), call, pattern, step, take);
  for (unsigned start = 0;; ++start) {
    const auto known = cluster->map(call);
    try {
      return scan_cluster(*cluster, call, pattern, step, take);
    } catch (const omnistore::Failure &failure) {
      // A master is away. If another one has its slots by now, the scan begins again.
      if (failure.status() != OMNISTORE_UNAVAILABLE || start == max_starts) throw;
      if (cluster->refresh(call, known, true)->version == known->version) throw;
    }
  }
}

} // namespace redis
