// SPDX-License-Identifier: Apache-2.0
#include "servers/server.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace redis {
namespace {

milliseconds until(Clock::time_point deadline) {
  return std::max(std::chrono::ceil<milliseconds>(deadline - Clock::now()), milliseconds(1));
}

/// Throws Failure(OMNISTORE_UNAVAILABLE) if the server is not a master. Sentinels that were cut off for a while name
/// the old master.
void require_master(Connection &connection, const std::string &shown, Clock::time_point deadline) {
  Commands commands;
  commands.add("ROLE");
  const Replies replies = connection.exchange(commands, deadline);
  const redisReply &role = not_error(*replies[0]);
  if (role.type == REDIS_REPLY_ARRAY && role.elements > 0 && string_of(*role.element[0]) == "master") return;
  throw omnistore::Failure(OMNISTORE_UNAVAILABLE, shown + " is not a master now");
}

} // namespace

Server::Server(Endpoint endpoint, Sentinels sentinels)
    : endpoint_(std::move(endpoint)), sentinels_(std::move(sentinels)),
      shown_(has_sentinels() ? "the master " + sentinels_.master : endpoint_.shown()) {}

MasterAddress Server::master() const {
  const std::lock_guard guard(mutex_);
  return master_;
}

void Server::move_from(std::uint64_t number, const MasterAddress &master, std::size_t sentinel) {
  const std::lock_guard guard(mutex_);
  if (!is_current(number)) return;
  preferred_ = sentinel;
  master_ = master;
  number_.store(number + 1, std::memory_order_release);
}

std::string Server::shown() const {
  const std::lock_guard guard(mutex_);
  return shown_;
}

std::unique_ptr<Connection> Server::connect(milliseconds timeout) {
  if (!has_sentinels()) return std::make_unique<Connection>(endpoint_, timeout);
  const std::size_t count = sentinels_.addresses.size(), first = preferred_;
  const auto deadline = Clock::now() + timeout;
  // A sentinel that hangs must leave time for the others and for the master.
  const milliseconds each = timeout / static_cast<milliseconds::rep>(count + 1);
  std::optional<omnistore::Failure> problem;
  std::size_t without_name = 0;
  for (std::size_t i = 0; i < count && Clock::now() < deadline; ++i) {
    const std::size_t at = (first + i) % count;
    const Endpoint &sentinel = sentinels_.addresses[at];
    try {
      if (auto connection = connect_to_master(sentinel, each, deadline)) {
        preferred_ = at;
        return connection;
      }
      ++without_name;
    } catch (const omnistore::Failure &failure) {
      if (!problem || failure.status() != OMNISTORE_UNAVAILABLE) problem = failure;
    } catch (const BrokenConnection &broken) {
      if (!problem) problem.emplace(OMNISTORE_UNAVAILABLE, sentinel.shown() + ": " + broken.what());
    }
  }
  if (without_name == count)
    throw omnistore::Failure(OMNISTORE_INVALID,
                             "option master: no sentinel knows a master by the name " + sentinels_.master);
  const std::string why = problem ? problem->what() : "no sentinel responded in time";
  const omnistore_status status = problem ? problem->status() : OMNISTORE_UNAVAILABLE;
  throw omnistore::Failure(status == OMNISTORE_TIMEOUT ? OMNISTORE_UNAVAILABLE : status,
                           "no master " + sentinels_.master + " by the sentinels: " + why);
}

/// Returns null if this sentinel does not know the name.
std::unique_ptr<Connection> Server::connect_to_master(const Endpoint &sentinel, milliseconds each,
                                                      Clock::time_point deadline) {
  const std::uint64_t known = number_;
  const auto own_deadline = std::min(Clock::now() + each, deadline);
  Connection source(sentinel, until(own_deadline));
  const auto named = request_master(source, sentinels_.master, own_deadline);
  if (!named) return nullptr;
  Endpoint master = endpoint_;
  master.path.clear();
  master.host = named->host;
  master.port = named->port;
  auto connection = std::make_unique<Connection>(master, until(deadline));
  require_master(*connection, master.shown(), deadline);
  connection->master = note(*named, master.shown(), known);
  return connection;
}

/// Returns the number of a master that a sentinel named when `known` was the number of the current one.
std::uint64_t Server::note(const MasterAddress &master, const std::string &shown, std::uint64_t known) {
  const std::lock_guard guard(mutex_);
  if (master != master_) {
    if (!is_current(known)) throw BrokenConnection("another master was found meanwhile");
    master_ = master;
    number_.store(known + 1, std::memory_order_release);
  }
  shown_ = shown;
  return number_;
}

} // namespace redis
