// SPDX-License-Identifier: Apache-2.0
// A connection that takes many commands before the first reply is awaited. Libmemcached waits for each reply to a set,
// so that a batch of sets would take a round trip for each value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/call.hpp>

#include "address.hpp"

namespace memcached_driver {

/// One thread at a time may use it.
class Pipeline {
public:
  /// Connects. Throws Failure(OMNISTORE_UNAVAILABLE).
  Pipeline(const Address &server, milliseconds timeout);
  Pipeline(const Pipeline &) = delete;
  Pipeline &operator=(const Pipeline &) = delete;
  ~Pipeline();

  /// Returns true if the server has closed the connection.
  bool is_closed() const;
  /// Sends commands and adds the line that replies to each, until there are `count`. Throws Failure if the connection
  /// breaks, or the server is silent for `patience`, or the call's time is over. Then the connection cannot be used
  /// any more.
  void run(omnistore::Call call, std::string_view commands, std::size_t count, milliseconds patience,
           std::vector<std::string> &replies);

private:
  void connect(const Address &server, milliseconds timeout);

  int socket_ = -1;
};

} // namespace memcached_driver
