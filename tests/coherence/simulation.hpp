// SPDX-License-Identifier: Apache-2.0
// A world in virtual time: hosts with copies, one store, and a network that delays, reorders and loses messages. The
// hosts decide by the rules of the layers `cache` and `overlay` (omnistore/coherence.hpp).
//
// Only the seed and the settings decide what happens, so a seed repeats a run exactly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <omnistore/coherence.hpp>

namespace sim {

using Millis = std::int64_t;

struct Settings {
  std::uint32_t hosts = 4, keys = 20;
  Millis max_lag = 200, ping_interval = 40, ping_limit = 100;
  Millis longest_delay = 20; ///< of a message, if nothing is wrong
  Millis tick = 4;           ///< the longest time between two steps
  double writes = 0.2;       ///< of all reads and writes
  double skew = 0;           ///< of the keys' popularity: the exponent of Zipf's law
  bool own_events = true;    ///< the store also reports a host's own writes to it
  bool failures = true;      ///< things are cut off, crash and pause
  bool late_ticket = false;  ///< a mistake on purpose: the ticket is taken when the response is there
  std::size_t slots = 16;
};

struct Counts {
  std::uint64_t reads = 0, hits = 0, gets = 0, checks = 0, bypasses = 0, writes = 0, events = 0, pings = 0, losses = 0;
  std::uint64_t crashes = 0, cuts = 0;
};

template <class Rules = omnistore::Coherence>
class Simulation {
public:
  Simulation(const Settings &settings, std::uint64_t seed, bool traces = false)
      : settings_(settings), random_(seed), traces_(traces), keys_(settings.keys) {
    for (std::uint32_t i = 0; i < settings.keys; ++i) keys_[i].name = "key:" + std::to_string(i);
    double sum = 0;
    for (std::uint32_t i = 0; i < settings.keys; ++i)
      popularity_.push_back(sum += 1 / std::pow(static_cast<double>(i + 1), settings.skew));
    for (std::uint32_t i = 0; i < settings.hosts; ++i) {
      hosts_.emplace_back(settings);
      connect(i);
    }
  }

  /// Returns false if a read was older than the bound. `failure()` then says which.
  bool run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps && failure_.empty(); ++i) step();
    return failure_.empty();
  }
  const std::string &failure() const { return failure_; }
  const std::deque<std::string> &trace() const { return trace_; }
  const Counts &counts() const { return counts_; }
  Millis now() const { return now_; }
  std::size_t copies() const {
    std::size_t all = 0;
    for (const Host &host : hosts_) all += host.copies.size();
    return all;
  }

private:
  using Ticket = omnistore::Coherence::Ticket;
  static constexpr Millis never = INT64_MAX;

  struct Key {
    std::string name;
    std::uint64_t version = 0;   ///< in the store
    std::uint64_t confirmed = 0; ///< the newest that was confirmed to its writer
    std::uint64_t required = 0;  ///< the newest that was confirmed more than the bound ago
    std::deque<std::pair<Millis, std::uint64_t>> confirmations;
  };
  struct Copy {
    std::uint64_t version;
    Ticket ticket;
    bool own_write;
  };
  struct Host {
    explicit Host(const Settings &of) : rules(std::make_unique<Rules>(of.max_lag, of.slots)) {}
    std::unique_ptr<Rules> rules;
    std::unordered_map<std::uint32_t, Copy> copies;
    std::unordered_map<std::uint32_t, std::uint64_t> busy; ///< keys with a request under way, with its number
    std::uint64_t life = 0;                                ///< grows with each crash
    std::uint64_t connection = 0; ///< grows with each new one; messages of an older one are not delivered
    bool subscribed = false;      ///< at the store
    bool is_cut = false;          ///< nothing gets through the connection, and no end knows
    Millis proven = -never / 2;   ///< the watch is complete up to then
    Millis ponged = 0, pinged = 0;
    Millis asleep_until = 0; ///< the thread of the watch does not run
    Millis last_event = 0;   ///< when the last message of the connection arrives
    Millis reconnects_at = never;
  };
  enum class Kind { get, set, got, stored, event, ping, pong, subscribe, subscribed };
  struct Message {
    Millis at;
    std::uint64_t number;
    Kind kind;
    std::uint32_t host, key;
    std::uint64_t connection, life;
    std::uint64_t version;
    Ticket ticket;
    Millis begun;
    std::uint64_t floor; ///< of a get: the version that was confirmed when it began
    bool keeps;          ///< of a get: the response becomes a copy
    bool operator>(const Message &other) const { return std::pair(at, number) > std::pair(other.at, other.number); }
  };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(double part) { return static_cast<double>(random_() >> 11) * 0x1p-53 < part; }
  Millis delay() {
    if (settings_.failures && chance(0.01)) return 1 + static_cast<Millis>(pick(300));
    return 1 + static_cast<Millis>(pick(static_cast<std::uint64_t>(settings_.longest_delay)));
  }
  std::uint32_t pick_key() {
    const double at = static_cast<double>(random_() >> 11) * 0x1p-53 * popularity_.back();
    return static_cast<std::uint32_t>(std::upper_bound(popularity_.begin(), popularity_.end(), at) -
                                      popularity_.begin());
  }
  void note(std::uint32_t host, const char *what, std::uint32_t key, std::uint64_t version) {
    if (!traces_) return;
    if (trace_.size() == 200) trace_.pop_front();
    trace_.push_back(std::to_string(now_) + " ms, host " + std::to_string(host) + ": " + what + " " + keys_[key].name +
                     " version " + std::to_string(version));
  }
  void note(std::uint32_t host, const char *what) {
    if (!traces_) return;
    if (trace_.size() == 200) trace_.pop_front();
    trace_.push_back(std::to_string(now_) + " ms, host " + std::to_string(host) + ": " + what);
  }
  Message &send(Millis at, Kind kind, std::uint32_t host, std::uint32_t key) {
    fresh_ = Message{at, ++number_, kind, host, key, hosts_[host].connection, hosts_[host].life, 0, {}, now_, 0, true};
    return fresh_;
  }
  void post(const Message &message) { messages_.push(message); }

  // ---------------------------------------------------------------------------------------------------------- steps

  void step() {
    const Millis end = now_ + static_cast<Millis>(pick(static_cast<std::uint64_t>(settings_.tick) + 1));
    while (!messages_.empty() && messages_.top().at <= end) {
      const Message message = messages_.top();
      messages_.pop();
      now_ = std::max(now_, message.at);
      deliver(message);
      if (!failure_.empty()) return;
    }
    now_ = end;
    const auto host = static_cast<std::uint32_t>(pick(settings_.hosts));
    tend(host);
    if (settings_.failures && chance(0.004)) return break_something(host);
    const std::uint32_t key = pick_key();
    if (hosts_[host].busy.contains(key)) return; // another request of the host is under way, and this one would wait
    chance(settings_.writes) ? write(host, key) : read(host, key);
  }

  /// The tasks that a watch's thread has at certain times.
  void tend(std::uint32_t at) {
    for (std::uint32_t i = 0; i < settings_.hosts; ++i) {
      if (settings_.hosts > 16 && i != at) continue; // each has its turn often enough
      Host &host = hosts_[i];
      if (now_ < host.asleep_until) continue;
      if (host.reconnects_at <= now_) connect(i);
      if (host.reconnects_at != never) continue;
      if (host.pinged > host.ponged && now_ - host.pinged > settings_.ping_limit) {
        note(i, "finds the watch broken");
        disconnect(host);
      } else if (host.pinged <= host.ponged && now_ - host.pinged >= settings_.ping_interval) {
        host.pinged = now_;
        ++counts_.pings;
        post(send(now_ + delay(), Kind::ping, i, 0));
      }
    }
  }
  void disconnect(Host &host) {
    ++host.connection;
    host.subscribed = false;
    host.reconnects_at = now_ + static_cast<Millis>(pick(60));
  }
  void connect(std::uint32_t i) {
    Host &host = hosts_[i];
    ++host.connection;
    host.subscribed = host.is_cut = false;
    host.reconnects_at = never;
    host.pinged = now_, host.ponged = now_ - 1;
    host.last_event = now_;
    post(send(now_ + delay(), Kind::subscribe, i, 0));
  }

  void break_something(std::uint32_t i) {
    Host &host = hosts_[i];
    switch (pick(5)) {
    case 0:
      note(i, "is cut off from the store's notifications");
      ++counts_.cuts;
      host.is_cut = true;
      break;
    case 1:
      note(i, "crashes, and starts with its old copies");
      ++counts_.crashes;
      ++host.life;
      host.busy.clear();
      host.rules = std::make_unique<Rules>(settings_.max_lag, settings_.slots);
      for (auto &[key, copy] : host.copies) copy.ticket = {};
      host.proven = -never / 2;
      connect(i);
      break;
    case 2:
      note(i, "has a watch that does not get to run");
      host.asleep_until = now_ + static_cast<Millis>(pick(600));
      break;
    case 3:
      note(i, "sees the store crash");
      ++counts_.crashes;
      down_until_ = now_ + static_cast<Millis>(pick(300));
      for (Host &each : hosts_) each.subscribed = false, each.is_cut = true;
      break;
    default:
      note(i, "loses the connection");
      ++counts_.cuts;
      disconnect(host);
    }
  }

  // ------------------------------------------------------------------------------------------------ reads and writes

  void read(std::uint32_t i, std::uint32_t key) {
    Host &host = hosts_[i];
    ++counts_.reads;
    const Millis lag = now_ - host.proven;
    const auto found = host.copies.find(key);
    if (found != host.copies.end() && host.rules->may_serve(keys_[key].name, found->second.ticket, lag)) {
      ++counts_.hits;
      note(i, "reads its copy of", key, found->second.version);
      return check(i, key, found->second.version, required(keys_[key]));
    }
    Message &message = send(now_ + delay(), Kind::get, i, key);
    message.keeps = host.rules->is_current(lag);
    message.ticket = host.rules->begin(keys_[key].name);
    message.floor = keys_[key].confirmed;
    const bool checks = message.keeps && found != host.copies.end() &&
                        (found->second.own_write || host.rules->lost_since(found->second.ticket));
    ++(message.keeps ? checks ? counts_.checks : counts_.gets : counts_.bypasses);
    if (message.keeps) host.busy[key] = message.number;
    note(i, "requests", key, 0);
    post(message);
  }

  void write(std::uint32_t i, std::uint32_t key) {
    Host &host = hosts_[i];
    ++counts_.writes;
    host.copies.erase(key); // it is doubtful until the outcome is known
    Message &message = send(now_ + delay(), Kind::set, i, key);
    message.ticket = host.rules->begin(keys_[key].name);
    host.busy[key] = message.number;
    note(i, "writes", key, 0);
    post(message);
  }

  std::uint64_t required(Key &key) {
    while (!key.confirmations.empty() && key.confirmations.front().first < now_ - settings_.max_lag) {
      key.required = std::max(key.required, key.confirmations.front().second);
      key.confirmations.pop_front();
    }
    return key.required;
  }
  void check(std::uint32_t i, std::uint32_t key, std::uint64_t version, std::uint64_t floor) {
    if (version >= floor) return;
    failure_ = "at " + std::to_string(now_) + " ms host " + std::to_string(i) + " read version " +
               std::to_string(version) + " of " + keys_[key].name + ", although version " + std::to_string(floor) +
               " was confirmed more than " + std::to_string(settings_.max_lag) + " ms before";
  }

  // --------------------------------------------------------------------------------------------------------- messages

  void deliver(const Message &message) {
    switch (message.kind) {
    case Kind::get:
    case Kind::set:
      return at_store(message);
    case Kind::got:
    case Kind::stored:
      return respond(message);
    case Kind::ping:
    case Kind::subscribe:
      return watch_at_store(message);
    default:
      return watch_at_host(message);
    }
  }

  void at_store(Message message) {
    if (now_ < down_until_ || (settings_.failures && chance(0.002))) return fail(message);
    Key &key = keys_[message.key];
    if (message.kind == Kind::set) {
      ++key.version;
      notify(message);
    }
    message.version = key.version;
    message.kind = message.kind == Kind::set ? Kind::stored : Kind::got;
    message.at = now_ + delay();
    if (settings_.failures && chance(0.002)) return fail(message); // the response is lost
    post(message);
  }
  void notify(const Message &message) {
    for (std::uint32_t i = 0; i < settings_.hosts; ++i) {
      Host &host = hosts_[i];
      if (!host.subscribed || (i == message.host && !settings_.own_events)) continue;
      Message &event = send(now_ + delay(), Kind::event, i, message.key);
      host.last_event = std::max(host.last_event, event.at);
      post(event);
    }
  }
  void fail(const Message &message) {
    Host &host = hosts_[message.host];
    const auto found = host.busy.find(message.key);
    if (host.life == message.life && found != host.busy.end() && message.keeps) host.busy.erase(found);
  }

  void respond(const Message &message) {
    Host &host = hosts_[message.host];
    Key &key = keys_[message.key];
    if (message.kind == Kind::stored) {
      key.confirmed = std::max(key.confirmed, message.version);
      key.confirmations.emplace_back(now_, message.version);
    }
    if (host.life != message.life) return;
    if (message.kind == Kind::got) check(message.host, message.key, message.version, message.floor);
    if (!message.keeps) return;
    host.busy.erase(message.key);
    const Ticket ticket = settings_.late_ticket ? host.rules->begin(key.name) : message.ticket;
    host.copies[message.key] = {message.version, ticket, message.kind == Kind::stored};
    note(message.host, "keeps", message.key, message.version);
  }

  /// A ping or a subscription arrives at the store. The response cannot overtake an event.
  void watch_at_store(Message message) {
    Host &host = hosts_[message.host];
    if (message.connection != host.connection || host.is_cut || now_ < down_until_) return;
    if (message.kind == Kind::subscribe) host.subscribed = true;
    if (!host.subscribed) return;
    message.kind = message.kind == Kind::subscribe ? Kind::subscribed : Kind::pong;
    message.at = host.last_event = std::max(host.last_event, now_ + delay());
    post(message);
  }

  void watch_at_host(Message message) {
    Host &host = hosts_[message.host];
    if (message.connection != host.connection || host.is_cut) return;
    if (now_ < host.asleep_until) {
      message.at = host.asleep_until; // its number keeps the order
      return post(message);
    }
    switch (message.kind) {
    case Kind::event:
      ++counts_.events;
      host.rules->changed(keys_[message.key].name);
      return note(message.host, "has an event of", message.key, 0);
    case Kind::subscribed:
      ++counts_.losses;
      host.rules->lost();
      host.ponged = host.pinged;
      note(message.host, "watches from now on");
      break;
    default:
      host.ponged = host.pinged;
    }
    host.proven = std::max(host.proven, message.begun);
  }

  const Settings settings_;
  std::mt19937_64 random_;
  const bool traces_;
  std::vector<Key> keys_;
  std::vector<double> popularity_; ///< added up
  std::vector<Host> hosts_;
  std::priority_queue<Message, std::vector<Message>, std::greater<>> messages_;
  Message fresh_{};
  std::uint64_t number_ = 0;
  Millis now_ = 0, down_until_ = 0;
  std::string failure_;
  std::deque<std::string> trace_;
  Counts counts_;
};

} // namespace sim
