// SPDX-License-Identifier: Apache-2.0
#include "servers/sentinels.hpp"

#include <charconv>

namespace redis {

std::optional<MasterAddress> request_master(Connection &sentinel, const std::string &name, Clock::time_point deadline) {
  Commands commands;
  commands.add("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
  const Replies replies = sentinel.exchange(commands, deadline);
  if (is_nil(not_error(*replies[0]))) return std::nullopt;
  redisReply *const *parts = array_of(*replies[0], 2);
  MasterAddress master{std::string(string_of(*parts[0]))};
  const std::string_view port = string_of(*parts[1]);
  std::from_chars(port.data(), port.data() + port.size(), master.port);
  return master;
}

} // namespace redis
