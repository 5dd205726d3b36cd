// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/descriptor.hpp"

namespace omnistore::service {

/// The service manager that started this process, such as systemd. It is notified of the host's state (sd_notify(3)),
/// and may have opened the listeners' sockets (sd_listen_fds(3)). Both protocols are a few lines, and stable;
/// libsystemd would load five more libraries at each start.
class Supervisor {
public:
  /// Takes the manager's variables out of the environment, so that no child process acts on them. Call it before any
  /// thread starts. Without such variables there is no manager, and all of this does nothing.
  Supervisor();
  ~Supervisor();
  Supervisor(const Supervisor &) = delete;
  Supervisor &operator=(const Supervisor &) = delete;

  /// Returns the descriptor of a socket that was passed under this name, else the first one whose name is none of
  /// `names`; -1 if there is none. The caller owns it. Each socket is returned once.
  int take_socket(std::string_view name, const std::vector<std::string_view> &names);
  /// Returns the names of the sockets that are left.
  std::vector<std::string> unused_sockets() const;

  /// Returns the time after which the manager ends a process that is not alive(); 0: it does not.
  std::chrono::microseconds watchdog() const { return watchdog_; }

  // On any thread. Reloads before ready() are part of the start.
  void ready(std::string_view status);
  void reloading() const;
  void reloaded(std::string_view status) const;
  void stopping() const;
  void alive() const;

private:
  struct Socket {
    std::string name;
    int descriptor;
  };
  void send(std::string_view message) const;

  std::atomic<bool> ready_{false};
  base::Descriptor notify_;
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  std::chrono::microseconds watchdog_{0};
  std::vector<Socket> sockets_;
};

} // namespace omnistore::service
