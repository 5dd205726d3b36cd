// SPDX-License-Identifier: Apache-2.0
#include "service/supervisor.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <unistd.h>

namespace omnistore::service {
namespace {

constexpr int first_socket = 3; // SD_LISTEN_FDS_START

std::string take_variable(const char *name) {
  const char *value = std::getenv(name);
  std::string text = value ? value : "";
  ::unsetenv(name);
  return text;
}

/// Returns 0 if the text is no number.
std::int64_t number(const std::string &text) {
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() ? value : 0;
}

/// A status is one line.
std::string one_line(std::string_view text) {
  std::string line(text.substr(0, 500));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

} // namespace

Supervisor::Supervisor() {
  const std::string path = take_variable("NOTIFY_SOCKET");
  if (path.size() > 1 && (path[0] == '/' || path[0] == '@') && path.size() < sizeof address_.sun_path) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.data(), path.size());
    if (path[0] == '@') address_.sun_path[0] = '\0'; // an abstract socket, whose name has no end of its own
    address_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '/' ? 1 : 0));
    // It is opened now: later the process may have no descriptor left.
    notify_ = base::Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  const std::string watched = take_variable("WATCHDOG_PID"), period = take_variable("WATCHDOG_USEC");
  if (notify_ && (watched.empty() || number(watched) == ::getpid()))
    watchdog_ = std::chrono::microseconds(std::max<std::int64_t>(0, number(period)));

  const std::string owner = take_variable("LISTEN_PID"), count = take_variable("LISTEN_FDS");
  std::string names = take_variable("LISTEN_FDNAMES");
  if (number(owner) != ::getpid()) return;
  for (int i = 0; i < number(count); ++i) {
    const int descriptor = first_socket + i;
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) break; // there are fewer
    const std::size_t end = std::min(names.find(':'), names.size());
    sockets_.push_back({names.substr(0, end), descriptor});
    names.erase(0, end + 1);
  }
}

Supervisor::~Supervisor() {
  for (const Socket &socket : sockets_) ::close(socket.descriptor);
}

int Supervisor::take_socket(std::string_view name, const std::vector<std::string_view> &names) {
  auto found = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket &one) { return one.name == name; });
  if (found == sockets_.end())
    found = std::find_if(sockets_.begin(), sockets_.end(), [&](const Socket &one) {
      return std::find(names.begin(), names.end(), one.name) == names.end();
    });
  if (found == sockets_.end()) return -1;
  const int descriptor = found->descriptor;
  sockets_.erase(found);
  return descriptor;
}

std::vector<std::string> Supervisor::unused_sockets() const {
  std::vector<std::string> names;
  for (const Socket &socket : sockets_) names.push_back(socket.name);
  return names;
}

void Supervisor::ready(std::string_view status) {
  ready_ = true;
  reloaded(status);
}

void Supervisor::reloaded(std::string_view status) const {
  if (ready_) send("READY=1\nSTATUS=" + one_line(status));
}

void Supervisor::reloading() const {
  if (!ready_) return;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds) + "\nSTATUS=reading the config again");
}

void Supervisor::stopping() const { send("STOPPING=1\nSTATUS=finishing the requests in flight"); }

void Supervisor::alive() const { send("WATCHDOG=1"); }

void Supervisor::send(std::string_view message) const {
  if (!notify_) return;
  [[maybe_unused]] const ssize_t sent =
      ::sendto(notify_.number(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr *>(&address_), address_size_); // a manager that is away is no failure
}

} // namespace omnistore::service
