// SPDX-License-Identifier: Apache-2.0
// A port that leads to one server, and at a chosen moment to another: what a failover looks like to a client.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test {

class Forwarder {
public:
  explicit Forwarder(std::uint16_t target)
      : target_(target), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 16) != 0 ||
        getsockname(listener_, generic, &size) != 0)
      throw std::runtime_error("forwarder: no port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  Forwarder(const Forwarder &) = delete;
  ~Forwarder() {
    stop_ = true;
    thread_.join();
    drop_all();
    close(listener_);
  }
  std::uint16_t port() const { return port_; }
  /// When `requests` more pieces have come from clients all connections are cut, and new ones lead to `target`.
  void switch_after(int requests, std::uint16_t target) {
    next_target_ = target;
    left_ = requests;
  }
  bool switched() const { return left_ == 0; }

private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void run() {
    while (!stop_) {
      std::vector<pollfd> waited{{listener_, POLLIN, 0}};
      for (const auto &[from, to] : pairs_) waited.push_back({from, POLLIN, 0});
      if (poll(waited.data(), waited.size(), 20) <= 0) continue;
      if (waited[0].revents != 0) take();
      for (std::size_t i = 1; i < waited.size(); ++i)
        if (waited[i].revents != 0 && pairs_.contains(waited[i].fd)) pass_on(waited[i].fd);
    }
  }
  void take() {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target_);
    if (connect(server, reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
      close(client);
      close(server);
      return;
    }
    pairs_[client] = server;
    pairs_[server] = client;
    from_clients_.insert(client);
  }
  void pass_on(int from) {
    char buffer[65536];
    const ssize_t got = recv(from, buffer, sizeof buffer, 0);
    const int to = pairs_.at(from);
    if (from_clients_.contains(from) && left_ > 0 && --left_ == 0) {
      target_ = next_target_;
      drop_all();
      return;
    }
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t some = send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (some <= 0) break;
      sent += some;
    }
    if (got > 0) return;
    for (const int end : {from, to}) {
      pairs_.erase(end);
      from_clients_.erase(end);
      close(end);
    }
  }
  void drop_all() {
    for (const auto &[from, to] : pairs_) close(from);
    pairs_.clear();
    from_clients_.clear();
  }

  std::uint16_t target_, port_ = 0;
  const int listener_;
  std::atomic<std::uint16_t> next_target_ = 0;
  std::atomic<int> left_ = -1;
  std::atomic<bool> stop_ = false;
  std::map<int, int> pairs_;
  std::set<int> from_clients_;
  std::thread thread_;
};

} // namespace test
