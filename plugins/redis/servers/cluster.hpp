// SPDX-License-Identifier: Apache-2.0
// Redis Cluster. Commands go to the masters of their slots: those of one call are divided by master, all masters get
// their part before the first reply is awaited, and what a server redirects is sent again to the right one.
#pragma once

#include <array>
#include <bitset>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "connection/client.hpp"
#include "servers/slots.hpp"

namespace redis {

/// Which master has which slot, as one server has reported it.
struct SlotMap {
  std::array<Client *, slot_count> owners{}; ///< null: nobody has the slot
  std::vector<Client *> masters;             ///< each that has a slot, once
  std::uint64_t version = 0;                 ///< maps with equal contents have equal versions
};

/// The slots that one master says it has. Its own word is the newest: the others hear of a move later.
struct Holding {
  std::string epoch; ///< it changes when a slot that others had comes to this master
  std::bitset<slot_count> slots;
  std::bitset<slot_count> moving; ///< the slots that keys are leaving or entering now
};
using Holdings = std::map<Client *, Holding>;

/// Thread-safe. It must not move.
class Cluster {
public:
  /// `seeds` are some of its servers. `settings.endpoint` has the login and TLS for all.
  Cluster(const omnistore_host &host, const ClientSettings &settings, const std::vector<Endpoint> &seeds);

  /// As Client::run. If only some of the commands fail since their server is away, the replies to these are failures
  /// (failed_reply), so that each item of a batch has its own outcome. The commands need units.
  Replies run(omnistore::Call call, Commands &commands, OnBroken on_broken);
  /// Reads the map of slots. If all seeds are away, it is read later. Throws Failure if one refuses the user, or is no
  /// member of a cluster.
  void open(omnistore::Call call);

  /// Returns the map, and reads it if there is none yet. Throws Failure.
  std::shared_ptr<const SlotMap> map(omnistore::Call call);
  /// Reads the map again, unless that was done after `known` was read or, without `now`, a moment ago. Throws Failure
  /// if no server returns one.
  std::shared_ptr<const SlotMap> refresh(omnistore::Call call, const std::shared_ptr<const SlotMap> &known,
                                         bool now = false);
  /// Requests from each master of a map which slots it has.
  Holdings holdings(omnistore::Call call, const SlotMap &map);

  std::size_t in_use() const;

private:
  struct Share;
  struct Round;

  Client &client_at(std::string_view host, std::uint16_t port);
  Client *redirected(std::string_view address, const Client &from);
  std::vector<Client *> candidates();
  std::shared_ptr<const SlotMap> current() const;
  std::shared_ptr<const SlotMap> read(omnistore::Call call, Client &client);
  void divide(Round &round, const SlotMap &map);
  void exchange(omnistore::Call call, Round &round, OnBroken on_broken);
  void take_replies(Round &round, Share &share);

  const omnistore_host &host_;
  const ClientSettings settings_;

  mutable std::mutex mutex_;
  std::condition_variable was_read_;
  std::map<std::string, std::unique_ptr<Client>> clients_; ///< by address; none is ever removed
  std::shared_ptr<const SlotMap> map_;

  bool is_read_ = false;        ///< a thread reads the map
  Clock::time_point refreshed_; ///< when the map was read, or could not be
  std::size_t next_ = 0;        ///< the candidate that is tried first
};

} // namespace redis
