// SPDX-License-Identifier: Apache-2.0
// A Redis Cluster of a test's own.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "redis/client.hpp"
#include "support/redis_server.hpp"

namespace test {

/// Masters that share the slots, each with the same number of replicas. When the constructor returns, all servers agree
/// on the slots and the replicas have their masters' data. Throws std::runtime_error if that takes longer than a
/// minute.
class RedisCluster {
public:
  explicit RedisCluster(std::size_t masters = 3, std::size_t replicas = 0, std::vector<std::string> arguments = {})
      : masters_(masters) {
    arguments.insert(arguments.end(), {"--notify-keyspace-events", "KEA"});
    for (std::size_t i = 0; i < masters * (1 + replicas); ++i)
      servers.emplace_back(arguments, RedisServer::On::cluster);
    for (std::size_t i = 0; i < servers.size(); ++i) require(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    for (std::size_t i = 0; i < masters; ++i)
      require(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(16384 * i / masters),
                  std::to_string(16384 * (i + 1) / masters - 1)});
    for (std::size_t i = 1; i < servers.size(); ++i) meet(0, i);
    for (std::size_t i = 0; i < servers.size(); ++i)
      await([&] { return count(text(i, {"CLUSTER", "NODES"}), " connected") == servers.size(); });
    for (std::size_t i = masters; i < servers.size(); ++i) require(i, {"CLUSTER", "REPLICATE", id(i % masters)});
    for (std::size_t i = 0; i < servers.size(); ++i)
      await([&] {
        return text(i, {"CLUSTER", "INFO"}).starts_with("cluster_state:ok") &&
               count(text(i, {"CLUSTER", "NODES"}), " slave ") +
                       count(text(i, {"CLUSTER", "NODES"}), "myself,slave ") ==
                   servers.size() - masters;
      });
    for (std::size_t i = 0; i < masters; ++i)
      await([&] { return count(text(i, {"INFO", "replication"}), "state=online") == replicas; });
  }

  /// Returns the options that lead a store to the cluster.
  std::string options() const {
    std::string nodes;
    for (const RedisServer &server : servers)
      nodes += (nodes.empty() ? "\"" : ",\"") + std::string("127.0.0.1:") + std::to_string(server.port()) + "\"";
    return "\"url\":\"" + servers.front().url() + "\",\"cluster\":true,\"nodes\":[" + nodes + "]";
  }
  /// Adds a master without slots. Returns its number.
  std::size_t add_master() {
    servers.emplace_back(std::vector<std::string>{"--notify-keyspace-events", "KEA"}, RedisServer::On::cluster);
    const std::size_t added = servers.size() - 1;
    meet(0, added);
    for (std::size_t i = 0; i < servers.size(); ++i)
      await([&] { return count(text(i, {"CLUSTER", "NODES"}), " connected") == servers.size(); });
    return added;
  }

  std::string id(std::size_t server) { return text(server, {"CLUSTER", "MYID"}); }
  std::size_t owner(std::uint16_t slot) const { return (slot * masters_ + masters_ - 1) / 16384; }
  /// Returns the id of the master that has a slot according to one server; empty if the server knows none.
  std::string owner_seen_by(std::size_t server, std::uint16_t slot) { return seen_by(server, slot).id; }
  std::string text(std::size_t server, std::vector<std::string> words) {
    RedisClient client(servers[server]);
    return client(words);
  }

  /// A slot begins to move.
  void begin_move(std::uint16_t slot, std::size_t from, std::size_t to) {
    require(to, {"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id(from)});
    require(from, {"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id(to)});
  }
  /// Moves some keys of the slot. Returns false if there are none left.
  bool move_keys(std::uint16_t slot, std::size_t from, std::size_t to, int most = 1'000'000) {
    RedisClient source(servers[from]);
    std::vector<std::string> words = {"MIGRATE", "127.0.0.1", std::to_string(servers[to].port()), "", "0",
                                      "30000",   "KEYS"};
    const auto keys = source.strings({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most)});
    words.insert(words.end(), keys.begin(), keys.end());
    if (keys.empty()) return false;
    if (const std::string reply = source(words); reply != "OK") throw std::runtime_error("MIGRATE: " + reply);
    return true;
  }
  /// Ends the move, and returns when every server knows the new owner and its epoch. A server that does not could
  /// claim the slot for the old owner when it moves again.
  void end_move(std::uint16_t slot, std::size_t from, std::size_t to) {
    const std::string owner = id(to);
    for (const std::size_t each : {to, from})
      require(each, {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", owner});
    for (std::size_t i = 0; i < servers.size(); ++i)
      await([&] {
        const Member seen = seen_by(i, slot);
        return seen.id == owner && seen.epoch == seen_by(to, slot).epoch;
      });
  }
  void move(std::uint16_t slot, std::size_t from, std::size_t to) {
    begin_move(slot, from, to);
    while (move_keys(slot, from, to)) {
    }
    end_move(slot, from, to);
  }

  std::deque<RedisServer> servers;

private:
  /// A line of CLUSTER NODES: a server as another one sees it.
  struct Member {
    std::string id, epoch;
  };
  /// Returns the member that has a slot according to one server.
  Member seen_by(std::size_t server, std::uint16_t slot) {
    std::istringstream lines(text(server, {"CLUSTER", "NODES"}));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string id, address, flags, master, ping, pong, epoch, link;
      words >> id >> address >> flags >> master >> ping >> pong >> epoch >> link;
      for (std::string range; words >> range;) {
        if (range.starts_with('[')) continue; // a slot that is moving
        const std::size_t dash = std::min(range.find('-'), range.size());
        const unsigned long first = std::stoul(range.substr(0, dash));
        const unsigned long last = dash == range.size() ? first : std::stoul(range.substr(dash + 1));
        if (first <= slot && slot <= last) return {id, epoch};
      }
    }
    return {};
  }
  void require(std::size_t server, std::vector<std::string> words) {
    const std::string reply = text(server, words);
    if (reply != "OK") throw std::runtime_error(words[0] + " " + words[1] + ": " + reply);
  }
  void meet(std::size_t one, std::size_t other) {
    require(one, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(servers[other].port()),
                  std::to_string(servers[other].bus_port())});
  }
  static std::size_t count(const std::string &text, std::string_view mark) {
    std::size_t found = 0;
    for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++found;
    return found;
  }
  static void await(const std::function<bool()> &holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the servers of the cluster do not agree");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  const std::size_t masters_;
};

} // namespace test
