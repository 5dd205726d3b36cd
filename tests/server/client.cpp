// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace test {

Client::Client(const std::string &address, const std::string &from) {
  const timeval patience{20, 0};
  if (address.starts_with("unix:")) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    address.substr(5).copy(to.sun_path, sizeof to.sun_path - 1);
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connect(reinterpret_cast<const sockaddr *>(&to), sizeof to, address);
    return;
  }
  const std::size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (sockaddr_in own{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}}; !from.empty()) {
    inet_pton(AF_INET, from.c_str(), &own.sin_addr);
    if (::bind(socket_, reinterpret_cast<const sockaddr *>(&own), sizeof own) != 0)
      throw std::runtime_error("bind " + from + ": " + std::strerror(errno));
  }
  connect(reinterpret_cast<const sockaddr *>(&to), sizeof to, address);
}

void Client::connect(const sockaddr *to, unsigned size, const std::string &address) {
  if (::connect(socket_, to, size) == 0) return;
  ::close(socket_);
  throw std::runtime_error("connect " + address + ": " + std::strerror(errno));
}

Client::~Client() { ::close(socket_); }

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool Client::fill() {
  char piece[65536];
  const ssize_t count = ::recv(socket_, piece, sizeof piece, 0);
  if (count > 0) buffered_.append(piece, static_cast<std::size_t>(count));
  return count > 0;
}

std::string Client::take(std::size_t count) {
  while (buffered_.size() < count && fill()) {
  }
  std::string taken = buffered_.substr(0, count);
  buffered_.erase(0, taken.size());
  return taken;
}

std::string Client::line() {
  std::size_t end;
  while ((end = buffered_.find("\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  std::string text = buffered_.substr(0, end);
  buffered_.erase(0, end + 2);
  return text;
}

Answer Client::head() {
  Answer answer;
  const std::string status = line();
  if (!status.starts_with("HTTP/1.1 ")) return answer;
  for (std::string text = line(); !text.empty(); text = line()) {
    const std::size_t colon = text.find(':');
    std::string name = text.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string &value = answer.headers[name];
    value += (value.empty() ? "" : ", ") + text.substr(text.find_first_not_of(' ', colon + 1));
  }
  answer.status = std::stoi(status.substr(9));
  return answer;
}

std::string Client::chunk() {
  const std::string size = line();
  if (size.empty()) return {};
  std::string piece = take(std::stoul(size, nullptr, 16));
  line();
  return piece;
}

Answer Client::receive(bool of_head) {
  Answer answer = head();
  const int code = std::exchange(answer.status, 0);
  if (answer.header("transfer-encoding") == "chunked") {
    for (;;) {
      const std::string head = line();
      if (head.empty()) return answer; // cut off
      const std::size_t size = std::stoul(head, nullptr, 16);
      answer.body += take(size);
      if (!line().empty() || size == 0) break;
    }
  } else if (!of_head && !answer.header("content-length").empty()) {
    const std::size_t size = std::stoul(answer.header("content-length"));
    answer.body = take(size);
    if (answer.body.size() != size) return answer;
  }
  answer.status = code;
  return answer;
}

std::string request(const std::string &method, const std::string &target, std::string_view body,
                    const std::string &headers) {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
  if (!body.empty() || method == "PUT") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append("\r\n").append(body);
}

Answer Client::ask(const std::string &method, const std::string &target, std::string_view body,
                   const std::string &headers) {
  send(request(method, target, body, headers));
  return receive(method == "HEAD");
}

std::string Client::rest() {
  while (fill()) {
  }
  std::string all;
  all.swap(buffered_);
  return all;
}

bool Client::ended() {
  char byte;
  return buffered_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
}

bool Client::readable_within(int milliseconds) {
  pollfd wanted{socket_, POLLIN, 0};
  return !buffered_.empty() || ::poll(&wanted, 1, milliseconds) > 0;
}

void Client::hold_back(int bytes) { ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

void Client::finish() { ::shutdown(socket_, SHUT_WR); }

} // namespace test
