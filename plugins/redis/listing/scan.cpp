// SPDX-License-Identifier: Apache-2.0
#include "listing/scan.hpp"

#include <algorithm>
#include <bitset>
#include <utility>
#include <vector>

namespace redis {
namespace {

constexpr unsigned max_starts = 10, max_rounds = 100;

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

/// Adds the slots that are moving, and those that have moved between the two looks.
void add_restless(std::bitset<slot_count> &slots, const Holdings &before, const Holdings &after) {
  for (const auto &[master, now] : after) {
    slots |= now.moving;
    const auto then = before.find(master);
    slots |= then == before.end() ? now.slots : then->second.moving | (then->second.slots ^ now.slots);
  }
}

/// Scans a slot at the masters that have it, and then at the others, since keys move only away from the first.
void scan_slot_everywhere(Cluster &cluster, const Holdings &holdings, omnistore::Call call, std::uint16_t slot,
                          const TakeNames &take) {
  for (const bool has : {true, false})
    for (const auto &[master, holding] : holdings)
      if (holding.slots[slot] == has) scan_slot(cluster, *master, call, slot, take);
}

[[noreturn]] void give_up() {
  throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the slots of the cluster moved again and again while it was listed");
}

/// While the masters are scanned one after the other, a key may move from one that is not scanned yet to one that was.
/// Each master reports its slots before and after, which shows the slots that may have such keys:
///
/// - A slot that moves, or is at another master afterwards, is read once more at the end.
/// - A slot may also have moved away and come back. Its master has a newer epoch then, and is scanned again.
///
/// The end is repeated until no slot gets another master meanwhile.
void scan_cluster(Cluster &cluster, omnistore::Call call, const std::string &pattern, std::uint32_t step,
                  const TakeNames &take) {
  auto map = cluster.refresh(call, cluster.map(call), true);
  Holdings before = cluster.holdings(call, *map);
  std::bitset<slot_count> restless;
  const auto look_again = [&] {
    map = cluster.refresh(call, map, true);
    Holdings after = cluster.holdings(call, *map);
    add_restless(restless, before, after);
    return after;
  };

  std::vector<Client *> to_scan = map->masters;
  for (unsigned round = 0; !to_scan.empty(); ++round) {
    if (round == max_rounds) give_up();
    for (Client *master : to_scan) scan_all(*master, call, pattern, step, take);
    const Holdings after = look_again();
    to_scan.clear();
    for (const auto &[master, now] : after) {
      const auto then = before.find(master);
      if (then == before.end() || then->second.epoch != now.epoch) to_scan.push_back(master);
    }
    before = after;
  }
  const auto has_the_same = [](const Holdings &some, const Holdings &others) {
    return std::equal(some.begin(), some.end(), others.begin(), others.end(), [](const auto &one, const auto &other) {
      return one.first == other.first && one.second.epoch == other.second.epoch &&
             one.second.slots == other.second.slots;
    });
  };
  for (unsigned round = 0; restless.any(); ++round) {
    if (round == max_rounds) give_up();
    for (std::uint16_t slot = 0; slot < slot_count; ++slot)
      if (restless[slot]) scan_slot_everywhere(cluster, before, call, slot, take);
    Holdings after = look_again();
    if (has_the_same(before, after)) return; // so a key that left its master meanwhile has been read there
    before = std::move(after);
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
