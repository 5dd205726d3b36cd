// SPDX-License-Identifier: Apache-2.0
// A master of Redis with replicas, and sentinels that watch over them.
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "redis/client.hpp"
#include "support/redis_server.hpp"

namespace test {

/// All servers run when the constructor returns: the replicas have the master's data, and the sentinels know the
/// replicas and one another. Throws std::runtime_error if that takes longer than a minute.
class RedisSentinels {
public:
  static constexpr const char *name = "the-master";

  explicit RedisSentinels(std::size_t replicas = 2, std::size_t watchers = 3, int down_after = 1000) {
    servers.emplace_back();
    const std::string port = std::to_string(servers.front().port());
    for (std::size_t i = 0; i < replicas; ++i)
      servers.emplace_back(
          std::vector<std::string>{"--replicaof", "127.0.0.1", port, "--notify-keyspace-events", "KEA"});
    RedisClient(servers.front())({"CONFIG", "SET", "repl-diskless-sync-delay", "0", "notify-keyspace-events", "KEA"});
    const std::string quorum = std::to_string(watchers / 2 + 1), master = name;
    for (std::size_t i = 0; i < watchers; ++i)
      sentinels.emplace_back(
          std::vector<std::string>{"sentinel monitor " + master + " 127.0.0.1 " + port + " " + quorum,
                                   "sentinel down-after-milliseconds " + master + " " + std::to_string(down_after),
                                   "sentinel failover-timeout " + master + " 4000"},
          RedisServer::On::sentinel);
    await([&] { return has(servers.front(), {"INFO", "replication"}, "state=online", replicas); });
    for (RedisServer &sentinel : sentinels)
      await([&] {
        const std::string mark = ",slaves=" + std::to_string(replicas) + ",sentinels=" + std::to_string(watchers);
        return has(sentinel, {"INFO", "sentinel"}, mark, 1);
      });
  }

  /// Returns the options that lead a store to the master.
  std::string options() const {
    std::string list;
    for (const RedisServer &sentinel : sentinels)
      list += (list.empty() ? "\"" : ",\"") + std::string("127.0.0.1:") + std::to_string(sentinel.port()) + "\"";
    // The url has the login; nothing listens at its address.
    std::string url = servers.front().url();
    url.replace(url.rfind(':'), url.npos, ":1/0");
    return "\"url\":\"" + url + "\",\"sentinels\":[" + list + "],\"master\":\"" + name + "\"";
  }
  /// Returns the server that the sentinels now call the master.
  RedisServer &master() {
    const std::string answer = RedisClient(sentinels.back())({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", name});
    for (RedisServer &server : servers)
      if (answer == "127.0.0.1 " + std::to_string(server.port())) return server;
    throw std::runtime_error("the sentinels name " + answer);
  }

  std::deque<RedisServer> servers, sentinels;

private:
  static bool has(const RedisServer &server, std::initializer_list<std::string_view> command, std::string_view mark,
                  std::size_t times) {
    const std::string text = RedisClient(server)(command);
    std::size_t found = 0;
    for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) ++found;
    return found >= times;
  }
  template <class Condition>
  static void await(Condition holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the sentinels do not find one another");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
};

} // namespace test
