// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/line_file.hpp"
#include "http/message.hpp"

namespace omnistore::http {

/// Writes a line for each response, in the Common Log Format or as JSON. Text of clients is escaped, so that it
/// neither ends its field nor acts on a terminal. Thread-safe.
class AccessLog {
public:
  AccessLog(LineFile &file, bool json) : file_(file), json_(json) {}

  struct Entry {
    std::string_view listener; ///< "http", "admin"
    std::string_view client;   ///< the address
    const Request *request;    ///< null if no request could be read
    unsigned status;
    std::uint64_t bytes; ///< of the response, with its head
    std::chrono::microseconds took;
  };
  void write(const Entry &entry);

private:
  LineFile &file_;
  const bool json_;
};

} // namespace omnistore::http
