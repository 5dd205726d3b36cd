// SPDX-License-Identifier: Apache-2.0
// A port that leads to a server until it is cut: then connections stay, and nothing gets through. No end is notified.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace test {

class Relay {
public:
  /// `connects` returns a connection to the server, or -1.
  explicit Relay(std::function<int()> connects)
      : connects_(std::move(connects)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, generic, &size) != 0)
      throw std::runtime_error("relay: no port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  Relay(const Relay &) = delete;
  Relay &operator=(const Relay &) = delete;
  ~Relay() {
    stop_ = true;
    thread_.join();
    for (const auto &[from, to] : pairs_) close(from);
    close(listener_);
  }

  std::uint16_t port() const { return port_; }
  void cut() { cut_ = true; }
  void mend() { cut_ = false; }

  static std::function<int()> to_port(std::uint16_t port) {
    return [port] {
      const int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(port);
      return connected(end, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    };
  }
  static std::function<int()> to_socket(const std::string &path) {
    return [path] {
      const int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      return connected(end, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    };
  }

private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  static int connected(int end, const sockaddr *address, socklen_t size) {
    if (connect(end, address, size) == 0) return end;
    close(end);
    return -1;
  }
  void run() {
    while (!stop_) {
      std::vector<pollfd> waited;
      if (!cut_) {
        waited.push_back({listener_, POLLIN, 0});
        for (const auto &[from, to] : pairs_) waited.push_back({from, POLLIN, 0});
      }
      if (poll(waited.data(), waited.size(), 10) <= 0) continue;
      if (waited[0].revents != 0) take();
      for (std::size_t i = 1; i < waited.size(); ++i)
        if (waited[i].revents != 0 && pairs_.contains(waited[i].fd)) pass_on(waited[i].fd);
    }
  }
  void take() {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), server = connects_();
    if (server < 0) {
      close(client);
      return;
    }
    pairs_[client] = server;
    pairs_[server] = client;
  }
  void pass_on(int from) {
    char buffer[65536];
    const ssize_t got = recv(from, buffer, sizeof buffer, 0);
    const int to = pairs_.at(from);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t some = send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (some <= 0) break;
      sent += some;
    }
    if (got > 0) return;
    for (const int end : {from, to}) {
      pairs_.erase(end);
      close(end);
    }
  }

  const std::function<int()> connects_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false}, cut_{false};
  std::map<int, int> pairs_;
  std::thread thread_;
};

} // namespace test
