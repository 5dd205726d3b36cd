// SPDX-License-Identifier: Apache-2.0
// A port that leads to a server, and can be cut or lead to another one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/un.h>

#include "support/loopback.hpp"

namespace test {

class Forwarder {
public:
  /// Returns a connection to the server, or -1.
  using Connect = std::function<int()>;

  explicit Forwarder(Connect connect) : connect_(std::move(connect)) {
    port_.listen();
    thread_ = std::thread([this] { run(); });
  }
  explicit Forwarder(std::uint16_t target) : Forwarder(to_port(target)) {}
  Forwarder(const Forwarder &) = delete;
  Forwarder &operator=(const Forwarder &) = delete;
  ~Forwarder() {
    stop_ = true;
    thread_.join();
    drop_all();
  }

  static Connect to_port(std::uint16_t port) {
    return [port] { return connected_to(port); };
  }
  static Connect to_socket(const std::string &path) {
    return [path] {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      return connected(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), reinterpret_cast<const sockaddr *>(&address),
                       sizeof address);
    };
  }

  std::uint16_t port() const { return port_.number(); }

  /// Nothing gets through any more, and no end is notified: the connections stay.
  void cut() { cut_ = true; }
  void mend() { cut_ = false; }

  /// When `requests` more pieces have come from clients, all connections end, and new ones lead to `target`. So a
  /// failover looks to a client.
  void switch_after(int requests, std::uint16_t target) {
    const std::lock_guard guard(lock_);
    next_ = to_port(target);
    left_ = requests;
  }
  bool switched() const { return left_ == 0; }

private:
  void run() {
    while (!stop_) {
      std::vector<pollfd> waited;
      if (!cut_) {
        waited.push_back({port_.socket(), POLLIN, 0});
        for (const auto &[from, to] : pairs_) waited.push_back({from, POLLIN, 0});
      }
      if (::poll(waited.data(), waited.size(), 10) <= 0) continue;
      if (waited[0].revents != 0) accept_one();
      for (std::size_t i = 1; i < waited.size(); ++i)
        if (waited[i].revents != 0 && pairs_.contains(waited[i].fd)) pass_on(waited[i].fd);
    }
  }
  void accept_one() {
    const int client = ::accept4(port_.socket(), nullptr, nullptr, SOCK_CLOEXEC), server = connect_();
    if (server < 0) {
      ::close(client);
      return;
    }
    pairs_[client] = server;
    pairs_[server] = client;
    clients_.insert(client);
  }
  void pass_on(int from) {
    char buffer[65536];
    const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
    if (clients_.contains(from) && switches_now()) return drop_all();
    const int to = pairs_.at(from);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t some = ::send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (some <= 0) break;
      sent += some;
    }
    if (got > 0) return;
    for (const int end : {from, to}) {
      pairs_.erase(end);
      clients_.erase(end);
      ::close(end);
    }
  }
  bool switches_now() {
    const std::lock_guard guard(lock_);
    if (left_ <= 0 || --left_ != 0) return false;
    connect_ = next_;
    return true;
  }
  void drop_all() {
    for (const auto &[from, to] : pairs_) ::close(from);
    pairs_.clear();
    clients_.clear();
  }

  Connect connect_;
  LoopbackPort port_;
  std::mutex lock_; ///< of next_ and of changes of left_
  Connect next_;
  std::atomic<int> left_{-1};
  std::atomic<bool> stop_{false}, cut_{false};
  std::map<int, int> pairs_; ///< each end of a connection, and the other one
  std::set<int> clients_;
  std::thread thread_;
};

} // namespace test
