// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.hpp"
#include "support/temporary.hpp"

namespace test {

/// The named pipe that stores of the driver `gate` wait at.
class Gate {
public:
  Gate() : path_(folder_ / "gate") {
    const std::string arrivals = path_ + ".in";
    if (mkfifo(path_.c_str(), 0600) != 0 || mkfifo(arrivals.c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    arrivals_ = ::open(arrivals.c_str(), O_RDWR);
  }
  Gate(const Gate &) = delete;
  Gate &operator=(const Gate &) = delete;
  ~Gate() {
    if (opened_ >= 0) ::close(opened_);
    ::close(arrivals_);
  }

  const std::string &path() const { return path_; }
  /// A store that waits here; `more` are further options of it, such as `, "reports": true`.
  omnistore::MountConfig mount(const std::string &more = {}) const {
    omnistore::MountConfig made;
    made.store.driver = "gate";
    made.store.options = R"({"gate": ")" + path_ + "\"" + more + "}";
    return made;
  }
  /// memory_config() with such a store at `slow:`.
  omnistore::Config config(const std::string &more = {}) const {
    omnistore::Config made = memory_config();
    made.mounts["slow"] = mount(more);
    return made;
  }
  /// Returns when so many more have come to the gate.
  void await(int count) {
    for (char byte; count > 0; --count) {
      if (::read(arrivals_, &byte, 1) != 1) throw std::runtime_error("read " + path_ + ".in");
    }
  }
  /// Returns how many have come that await() has not counted.
  int arrived() const {
    int bytes = 0;
    if (::ioctl(arrivals_, FIONREAD, &bytes) != 0) throw std::runtime_error("ioctl " + path_ + ".in");
    return bytes;
  }
  /// Lets all go, those that wait and those that come.
  void open() {
    if (opened_ < 0) opened_ = ::open(path_.c_str(), O_RDWR);
  }

private:
  Folder folder_;
  std::string path_;
  int arrivals_ = -1;
  int opened_ = -1;
};

/// So many connections, each with a request that waits at the gate of gate.config().
inline std::vector<std::unique_ptr<Client>> hang(const Host &host, int count) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(host.http()));
    clients.back()->send(request("GET", "/slow/hang"));
  }
  return clients;
}

} // namespace test
