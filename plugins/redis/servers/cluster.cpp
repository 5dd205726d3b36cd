// SPDX-License-Identifier: Apache-2.0
#include "servers/cluster.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

namespace redis {
namespace {

/// The map is not read more often than this, however many calls are redirected.
constexpr milliseconds refresh_pause{50};
/// The pauses before commands are sent again that the cluster cannot run at the moment.
constexpr milliseconds first_pause{10}, longest_pause{200};
/// How often commands are redirected in a row.
constexpr unsigned most_redirects = 16;
constexpr std::string_view asking = "*1\r\n$6\r\nASKING\r\n";

template <class Number>
bool read_number(std::string_view text, Number &into) {
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, into);
  return error == std::errc() && stop == end;
}

/// Reads a server's own line of CLUSTER NODES: "ID ADDRESS myself,master MASTER PING PONG EPOCH LINK", and then slots,
/// ranges of slots, "[SLOT->-ID]" for each slot that leaves it and "[SLOT-<-ID]" for each that comes.
Holding holding_of(std::string_view line) {
  Holding result;
  std::istringstream words{std::string(line)};
  std::string word;
  for (int i = 0; i < 8 && words >> word; ++i)
    if (i == 6) result.epoch = word;
  while (words >> word) {
    const bool moves = word.front() == '[';
    const std::string_view range = std::string_view(word).substr(moves ? 1 : 0);
    const std::size_t dash = range.find('-');
    std::uint16_t first = 0, last = 0;
    if (!read_number(range.substr(0, dash), first) || first >= slot_count) continue;
    if (moves) {
      result.moving.set(first);
      continue;
    }
    if (dash == range.npos || !read_number(range.substr(dash + 1), last)) last = first;
    for (unsigned slot = first; slot <= std::min<unsigned>(last, slot_count - 1); ++slot) result.slots.set(slot);
  }
  return result;
}

enum class Verdict { done, moved, ask, wait };

/// Returns what the reply says about the place of its key. Sets `address` to "host:port" for `moved` and `ask`.
Verdict verdict_of(const redisReply &reply, std::string_view &address) {
  if (!is_error(reply)) return Verdict::done;
  const std::string_view text = text_of(reply);
  if (text.starts_with("TRYAGAIN") || text.starts_with("CLUSTERDOWN")) return Verdict::wait;
  const bool moved = text.starts_with("MOVED ");
  if (!moved && !text.starts_with("ASK ")) return Verdict::done;
  address = text.substr(text.rfind(' ') + 1);
  return moved ? Verdict::moved : Verdict::ask;
}

std::string_view text_or_none(const redisReply &reply) { return is_nil(reply) ? std::string_view() : text_of(reply); }

} // namespace

// ------------------------------------------------------------------------------------------------------------ the map

Cluster::Cluster(const omnistore_host &host, const ClientSettings &settings, const std::vector<Endpoint> &seeds)
    : host_(host), settings_(settings) {
  for (const Endpoint &seed : seeds) client_at(seed.host, seed.port);
}

Client &Cluster::client_at(std::string_view host, std::uint16_t port) {
  ClientSettings settings = settings_;
  settings.endpoint.host = host;
  settings.endpoint.port = port;
  const std::lock_guard guard(mutex_);
  std::unique_ptr<Client> &client = clients_[settings.endpoint.shown()];
  if (!client) client = std::make_unique<Client>(host_, settings);
  return *client;
}

/// Returns the server at "host:port". Without a host it is that of the server that said so.
Client *Cluster::redirected(std::string_view address, const Client &from) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  if (colon == address.npos || !read_number(address.substr(colon + 1), port)) return nullptr;
  const std::string_view host = address.substr(0, colon);
  return &client_at(host.empty() ? from.endpoint().host : host, port);
}

std::shared_ptr<const SlotMap> Cluster::current() const {
  const std::lock_guard guard(mutex_);
  return map_;
}

std::shared_ptr<const SlotMap> Cluster::map(omnistore::Call call) {
  if (auto found = current()) return found;
  return refresh(call, nullptr);
}

/// Returns the servers to request the map from: the masters first, each time from another one on, then all others.
std::vector<Client *> Cluster::candidates() {
  const std::lock_guard guard(mutex_);
  std::vector<Client *> result;
  if (map_) result = map_->masters;
  if (!result.empty())
    std::rotate(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(next_++ % result.size()), result.end());
  for (const auto &each : clients_)
    if (std::find(result.begin(), result.end(), each.second.get()) == result.end()) result.push_back(each.second.get());
  return result;
}

std::shared_ptr<const SlotMap> Cluster::refresh(omnistore::Call call, const std::shared_ptr<const SlotMap> &known,
                                                bool now) {
  const milliseconds patience =
      std::min(milliseconds(call.remaining()), settings_.connect_timeout + settings_.command_timeout);
  {
    std::unique_lock lock(mutex_);
    if (!was_read_.wait_for(lock, patience, [&] { return !is_read_; }))
      throw omnistore::Failure(call.late(), "the call's time was over before the cluster's slots were known");
    if (map_ && (map_ != known || (!now && Clock::now() - refreshed_ < refresh_pause))) return map_;
    is_read_ = true;
  }
  std::shared_ptr<const SlotMap> fresh;
  std::optional<omnistore::Failure> problem;
  try {
    for (Client *client : candidates()) {
      try {
        fresh = read(call, *client);
        break;
      } catch (const omnistore::Failure &failure) {
        if (!problem || problem->status() == OMNISTORE_UNAVAILABLE) problem = failure;
      }
    }
  } catch (const std::exception &error) {
    problem.emplace(OMNISTORE_INTERNAL, error.what());
  }
  const std::lock_guard guard(mutex_);
  is_read_ = false;
  refreshed_ = Clock::now();
  was_read_.notify_all();
  if (!fresh) throw problem.value_or(omnistore::Failure(OMNISTORE_UNAVAILABLE, "no server of the cluster is known"));
  for (const auto &each : clients_) each.second->set_wanted(false);
  for (Client *master : fresh->masters) master->set_wanted(true);
  return map_ = std::move(fresh);
}

std::shared_ptr<const SlotMap> Cluster::read(omnistore::Call call, Client &client) {
  Commands commands;
  commands.add("CLUSTER", "SLOTS");
  const Replies replies = client.run(call, commands, OnBroken::resend);
  if (is_error(*replies[0]) && text_of(*replies[0]).starts_with("ERR This instance has cluster support disabled"))
    throw omnistore::Failure(OMNISTORE_INVALID, "option cluster: " + client.server().shown() +
                                                    " is not a member of a cluster; leave the option out");
  const redisReply &reply = not_error(*replies[0]);
  auto fresh = std::make_shared<SlotMap>();
  const auto server_of = [&](const redisReply &node) -> Client & {
    if (node.type != REDIS_REPLY_ARRAY || node.elements < 2)
      throw omnistore::Failure(OMNISTORE_INTERNAL, "the reply to CLUSTER SLOTS is not understood");
    const std::string_view host = text_or_none(*node.element[0]);
    return client_at(host.empty() || host == "?" ? client.endpoint().host : host,
                     static_cast<std::uint16_t>(integer_of(*node.element[1])));
  };
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const redisReply &range = *reply.element[i];
    if (range.type != REDIS_REPLY_ARRAY || range.elements < 3) continue;
    Client &master = server_of(*range.element[2]);
    for (std::size_t at = 3; at < range.elements; ++at)
      server_of(*range.element[at]); // a replica may serve the map later
    const long long last = std::min<long long>(integer_of(*range.element[1]), slot_count - 1);
    for (long long slot = std::max(integer_of(*range.element[0]), 0LL); slot <= last; ++slot)
      fresh->owners[static_cast<std::size_t>(slot)] = &master;
    if (std::find(fresh->masters.begin(), fresh->masters.end(), &master) == fresh->masters.end())
      fresh->masters.push_back(&master);
  }
  if (fresh->masters.empty())
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, client.server().shown() + ": the cluster has no slots yet");
  const auto before = current();
  fresh->version = before ? before->version + (before->owners != fresh->owners) : 1;
  return fresh;
}

Holdings Cluster::holdings(omnistore::Call call, const SlotMap &map) {
  Holdings result;
  for (Client *master : map.masters) {
    Commands commands;
    commands.add("CLUSTER", "NODES");
    const Replies replies = master->run(call, commands, OnBroken::resend);
    std::string_view nodes = string_of(*replies[0]);
    while (!nodes.empty()) {
      const std::string_view line = nodes.substr(0, nodes.find('\n'));
      nodes.remove_prefix(std::min(nodes.size(), line.size() + 1));
      if (line.find(" myself,") != line.npos) result.emplace(master, holding_of(line));
    }
  }
  return result;
}

void Cluster::open(omnistore::Call call) {
  try {
    refresh(call, nullptr);
  } catch (const omnistore::Failure &failure) {
    if (failure.status() != OMNISTORE_UNAVAILABLE) throw;
    omnistore::log_line(host_, OMNISTORE_LOG_WARN, "no server of the cluster responds; they are tried again");
  }
}

std::size_t Cluster::in_use() const {
  const std::lock_guard guard(mutex_);
  return std::accumulate(clients_.begin(), clients_.end(), std::size_t{0},
                         [](std::size_t sum, const auto &each) { return sum + each.second->in_use(); });
}

// ----------------------------------------------------------------------------------------------------------- one call

/// A unit that is not done.
struct Waiting {
  std::uint32_t unit;
  Client *node = nullptr; ///< the server that it was redirected to; null: the owner of its slot
  bool asking = false;    ///< the slot is moving to `node`
};

/// The commands that one server gets in a round.
struct Cluster::Share {
  Client *client;
  std::string bytes;
  std::uint32_t count = 0;
  std::vector<Waiting> units;
  StartedExchange started;
  std::optional<StoredFailure> failure;
  bool unknown = false;   ///< the commands may have been done
  bool can_again = false; ///< they can be sent again
};

struct Cluster::Round {
  const std::vector<Unit> &units;
  std::string_view bytes;
  std::uint32_t count; ///< of all commands
  Replies &replies;

  std::vector<Waiting> waiting, again;
  std::vector<Share> shares;
  bool moved = false, pause = false;
  std::size_t failures = 0;
  std::optional<StoredFailure> failure;

  std::size_t end(std::uint32_t unit) const { return unit + 1 == units.size() ? bytes.size() : units[unit + 1].from; }
  std::uint32_t size(std::uint32_t unit) const {
    return (unit + 1 == units.size() ? count : units[unit + 1].first) - units[unit].first;
  }
  void fail(std::uint32_t unit, const StoredFailure &why) {
    for (std::uint32_t i = 0; i < size(unit); ++i) replies[units[unit].first + i] = failed_reply(why);
    ++failures;
    failure = why;
  }
};

void Cluster::divide(Round &round, const SlotMap &map) {
  round.shares.clear();
  for (const Waiting &each : round.waiting) {
    Client *client = each.node ? each.node : map.owners[round.units[each.unit].slot];
    if (!client) {
      round.again.push_back(each); // nobody has the slot
      round.moved = round.pause = true;
      continue;
    }
    auto share = std::find_if(round.shares.begin(), round.shares.end(), [&](auto &s) { return s.client == client; });
    if (share == round.shares.end()) {
      round.shares.emplace_back().client = client;
      share = std::prev(round.shares.end());
      share->bytes.reserve(round.bytes.size());
      share->units.reserve(round.waiting.size());
    }
    if (each.asking) share->bytes += asking, ++share->count;
    const std::size_t from = round.units[each.unit].from;
    share->bytes += round.bytes.substr(from, round.end(each.unit) - from);
    share->count += round.size(each.unit);
    share->units.push_back(each);
  }
}

/// Gives all servers their commands, and waits for all replies.
void Cluster::exchange(omnistore::Call call, Round &round, OnBroken on_broken) {
  const auto guarded = [](Share &share, auto step) {
    try {
      step();
    } catch (const omnistore::Failure &failure) {
      share.failure = {failure.status(), failure.what(), failure.details()};
    }
  };
  for (Share &share : round.shares)
    guarded(share, [&] { share.started = share.client->start(call, std::move(share.bytes), share.count); });
  for (Share &share : round.shares) {
    if (!share.started.exchange) {
      share.can_again = share.failure->status == OMNISTORE_UNAVAILABLE;
      continue;
    }
    guarded(share, [&] { share.started.slot->finish(share.started.exchange, call); });
    const Exchange &done = *share.started.exchange;
    if (share.failure) { // the call's time is over
      share.unknown = !share.failure->details.nothing_done;
    } else if (done.failure) {
      share.failure = done.failure;
      share.failure->details.nothing_done = !done.sent;
      share.unknown = done.sent && on_broken == OnBroken::fail;
      share.can_again = !share.unknown && done.failure->status == OMNISTORE_UNAVAILABLE;
    }
    if (share.failure && share.unknown) share.failure->message += "; the outcome is not known";
  }
}

void Cluster::take_replies(Round &round, Share &share) {
  Replies &replies = share.started.exchange->replies;
  std::size_t at = 0;
  for (Waiting &each : share.units) {
    if (each.asking) ++at;
    const std::uint32_t size = round.size(each.unit), first = round.units[each.unit].first;
    Verdict verdict = Verdict::done;
    std::string_view address;
    for (std::uint32_t i = 0; i < size && verdict == Verdict::done; ++i)
      verdict = verdict_of(*replies[at + i], address);
    each.node = nullptr;
    each.asking = false;
    if (verdict == Verdict::done) {
      for (std::uint32_t i = 0; i < size; ++i) round.replies[first + i] = std::move(replies[at + i]);
    } else {
      if (verdict == Verdict::wait) {
        round.pause = round.moved = true;
      } else {
        each.node = redirected(address, *share.client);
        each.asking = verdict == Verdict::ask;
        round.moved = round.moved || verdict == Verdict::moved;
      }
      round.again.push_back(each);
    }
    at += size;
  }
}

Replies Cluster::run(omnistore::Call call, Commands &commands, OnBroken on_broken) {
  const std::string bytes = std::move(commands.bytes());
  Replies replies(commands.count());
  Round round{commands.units(), bytes, commands.count(), replies, {}, {}, {}, false, false, 0, {}};
  round.waiting.reserve(round.units.size());
  for (std::uint32_t i = 0; i < round.units.size(); ++i) round.waiting.push_back({i});
  auto map = this->map(call);
  const auto until = Clock::now() + settings_.command_timeout;
  milliseconds pause = first_pause;
  unsigned redirects = 0;
  for (bool first = true; !round.waiting.empty(); first = false) {
    round.again.clear();
    round.moved = round.pause = false;
    divide(round, *map);
    exchange(call, round, on_broken);
    for (Share &share : round.shares) {
      if (share.failure)
        round.moved = true;
      else
        take_replies(round, share);
    }
    if (round.moved) {
      try {
        map = refresh(call, map);
      } catch (const omnistore::Failure &) {
        // The commands fail for a reason of their own, or work at the server that they were redirected to.
      }
    }
    for (const Share &share : round.shares) {
      if (!share.failure) continue;
      for (const Waiting &each : share.units) {
        const bool has_other = map->owners[round.units[each.unit].slot] != share.client;
        // A connection that the server had closed before is worth one more try.
        const bool again = share.can_again && (has_other || (first && share.started.exchange));
        if (again)
          round.again.push_back({each.unit});
        else
          round.fail(each.unit, *share.failure);
      }
    }
    if (round.again.empty()) break;
    redirects = round.pause ? 0 : redirects + 1;
    if (redirects > most_redirects || Clock::now() >= until || call.remaining() <= 0) {
      const StoredFailure why{
          OMNISTORE_UNAVAILABLE, "the cluster does not serve the key's slot at the moment", {true, 0}};
      for (const Waiting &each : round.again) round.fail(each.unit, why);
      break;
    }
    if (round.pause) {
      std::this_thread::sleep_for(std::min(pause, milliseconds(call.remaining())));
      pause = std::min(2 * pause, longest_pause);
    }
    round.waiting.swap(round.again);
  }
  if (round.failures == round.units.size()) throw round.failure->failure();
  return replies;
}

} // namespace redis
