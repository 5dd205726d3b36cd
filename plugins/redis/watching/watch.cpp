// SPDX-License-Identifier: Apache-2.0
#include "watching/watch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <omnistore/background.hpp>
#include <omnistore/call.hpp>
#include <omnistore/value.hpp>

namespace redis {
namespace {

constexpr milliseconds first_retry{50}, longest_retry{5000};
/// The classes of events that a watch needs besides K: generic (del, expire, rename), strings, expired, evicted.
constexpr std::string_view needed_classes = "g$xe";

struct KnownChange {
  std::string_view name;
  std::uint32_t type, cause;
};

/// The events of values and keys. Events of other types (lpush, hset, ...) are not about values of the store.
constexpr KnownChange known_changes[] = {
    {"set", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"expire", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"persist", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"append", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"setrange", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"setbit", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"incrby", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"incrbyfloat", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"rename_to", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"move_to", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"copy_to", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"restore", OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
    {"del", OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED},
    {"rename_from", OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED},
    {"move_from", OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED},
    {"expired", OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED},
    {"evicted", OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EVICTED},
};

bool enough(std::string_view flags) {
  const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
  return has('K') && (has('A') || std::all_of(needed_classes.begin(), needed_classes.end(), has));
}

} // namespace

Watch::Watch(const WatchSetup &setup, std::string_view base, omnistore_watcher &watcher)
    : setup_(setup), base_(base),
      channel_("__keyspace@" + std::to_string(setup.endpoint.database) + "__:" + setup.layout.prefix()),
      watcher_(watcher), connection_(subscribe()) {
  proof_.start();
  if (is_complete_) proof_.renew(subscribed_);
  if (pipe2(stop_, O_CLOEXEC) != 0)
    throw omnistore::Failure(OMNISTORE_IO, std::string("pipe: ") + std::strerror(errno));
  try {
    thread_ = omnistore::background_thread([this] { run(); });
  } catch (...) {
    ::close(stop_[0]);
    ::close(stop_[1]);
    throw;
  }
}

Watch::~Watch() {
  ::close(stop_[1]);
  thread_.join();
  ::close(stop_[0]);
}

void Watch::expect_cleared(std::span<const std::string_view> keys) {
  const std::lock_guard guard(mutex_);
  for (const std::string_view key : keys) {
    if (key.starts_with(base_)) clearing_.emplace(key);
  }
}

// --------------------------------------------------------------------------------------------------------- subscribing

std::unique_ptr<Connection> Watch::subscribe() {
  subscribed_ = Clock::now();
  const auto deadline = subscribed_ + setup_.connect_timeout + setup_.command_timeout;
  auto connection = std::make_unique<Connection>(setup_.endpoint, setup_.connect_timeout);
  try {
    is_complete_ = require_notifications(*connection, deadline);
    Commands id;
    id.add("CLIENT", "ID");
    const Replies own = connection->exchange(id, deadline);
    Commands commands;
    if (is_error(*own[0])) {
      is_complete_ = false;
    } else {
      // There is no notification of FLUSHALL and FLUSHDB, but clients that track keys are informed. The prefix matches
      // no key, so they are informed of nothing else. If the server refuses this, the watch works without it.
      commands.add("CLIENT", "TRACKING", "ON", "REDIRECT", integer_of(*own[0]), "BCAST", "PREFIX", "\1\2\3");
    }
    commands.add("SUBSCRIBE", "__redis__:invalidate");
    commands.add("PSUBSCRIBE",
                 "__keyspace@" + std::to_string(setup_.endpoint.database) + "__:" + setup_.layout.pattern(base_));
    const Replies replies = connection->exchange(commands, deadline);
    not_error(*replies.back());
    if (is_error(*replies.front())) is_complete_ = false; // it does not learn of a FLUSHALL
    return connection;
  } catch (const BrokenConnection &broken) {
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, setup_.endpoint.shown() + ": " + broken.what());
  }
}

/// Returns false if it is not known whether they are on.
bool Watch::require_notifications(Connection &connection, Clock::time_point deadline) {
  constexpr const char *setting = "notify-keyspace-events";
  Commands ask;
  ask.add("CONFIG", "GET", setting);
  const Replies replies = connection.exchange(ask, deadline);
  if (is_error(*replies[0])) {
    omnistore::log_line(setup_.host, OMNISTORE_LOG_WARN,
                        "watch: it is not known if the server's keyspace notifications are on (" +
                            std::string(text_of(*replies[0])) + "); if they are off, no change is reported");
    return false;
  }
  const std::string flags(string_of(*array_of(*replies[0], 2)[1]));
  if (enough(flags)) return true;
  if (!setup_.notify)
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED,
                             "the server's keyspace notifications are off: CONFIG SET notify-keyspace-events KEA "
                             "switches them on, as does the option notify when it is true");
  Commands switch_on;
  switch_on.add("CONFIG", "SET", setting, flags + "K" + std::string(needed_classes));
  not_error(*connection.exchange(switch_on, deadline)[0]);
  return true;
}

// ------------------------------------------------------------------------------------------------------------- events

void Watch::run() noexcept {
  do {
    try {
      listen(*connection_);
      return;
    } catch (const std::exception &error) {
      omnistore::log_line(setup_.host, OMNISTORE_LOG_WARN,
                          "watch: " + setup_.endpoint.shown() + ": " + error.what() + "; it is tried again");
    }
  } while (reconnect());
}

/// Returns false if the watch ends.
bool Watch::reconnect() {
  std::minstd_rand random(std::random_device{}());
  connection_.reset();
  for (milliseconds pause = first_retry;; pause = std::min(2 * pause, longest_retry)) {
    std::uniform_int_distribution<milliseconds::rep> some(pause.count() * 3 / 4, pause.count());
    if (stopped(milliseconds(some(random)))) return false;
    try {
      connection_ = subscribe();
      break;
    } catch (const std::exception &) {
      // The reason was logged when the connection was lost; the next try follows.
    }
  }
  {
    const std::lock_guard guard(mutex_);
    clearing_.clear();
  }
  report(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {});
  if (is_complete_) proof_.renew(subscribed_);
  return true;
}

bool Watch::stopped(milliseconds wait) {
  pollfd end{stop_[0], POLLIN, 0};
  return poll(&end, 1, static_cast<int>(wait.count())) > 0;
}

/// Returns when the watch ends. A ping shows that the server is still there. Its reply comes after the notifications of
/// all changes that were made before it, so it also proves that the watch is complete up to then.
void Watch::listen(Connection &connection) {
  pinged_ = {};
  Clock::time_point heard = Clock::now(), last_ping = heard;
  for (;;) {
    while (const Reply message = connection.next()) take(*message);
    const Clock::time_point due = proof_.is_wanted()
                                      ? last_ping + std::min(omnistore::WatchProof::interval, setup_.command_timeout)
                                      : heard + setup_.command_timeout;
    const Clock::time_point late = std::max(heard, last_ping) + setup_.command_timeout; // counts if a ping was sent
    const bool waits = pinged_ != Clock::time_point();
    const auto left = std::chrono::ceil<milliseconds>((waits ? late : due) - Clock::now());
    pollfd ready[] = {{stop_[0], POLLIN, 0}, {connection.descriptor(), POLLIN, 0}};
    const int count = poll(ready, 2, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (ready[0].revents != 0) return;
    just_changed_.clear();
    if (count > 0 && connection.receive(milliseconds(0))) {
      heard = Clock::now();
    } else if (count == 0 && waits) {
      throw BrokenConnection("no reply within " + std::to_string(setup_.command_timeout.count()) + " ms");
    }
    if (pinged_ == Clock::time_point() && Clock::now() >= due) ping(connection), last_ping = pinged_;
  }
}

void Watch::ping(Connection &connection) {
  Commands commands;
  commands.add("PING");
  pinged_ = Clock::now();
  if (connection.send(commands.bytes()) != commands.bytes().size()) throw BrokenConnection("nothing can be sent");
}

void Watch::take(const redisReply &message) {
  if (message.type != REDIS_REPLY_ARRAY || message.elements < 2) return;
  const std::string_view kind = string_of(*message.element[0]);
  if (kind == "pong") {
    const Clock::time_point asked = std::exchange(pinged_, {});
    if (is_complete_ && asked != Clock::time_point()) proof_.renew(asked);
    return;
  }
  if (message.elements < 3) return;
  if (kind == "message" && is_nil(*message.element[2])) {
    report(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}); // the database was flushed
  } else if (kind == "pmessage" && message.elements == 4) {
    std::string_view channel = string_of(*message.element[2]);
    if (!channel.starts_with(channel_)) return;
    channel.remove_prefix(channel_.size());
    if (is_key(channel)) take_change(channel, string_of(*message.element[3]));
  }
}

void Watch::take_change(std::string_view key, std::string_view what) {
  if (key.ends_with("$$")) return; // the binding of user meta (script.hpp)
  const auto change =
      std::find_if(std::begin(known_changes), std::end(known_changes), [&](auto &c) { return c.name == what; });
  if (change == std::end(known_changes)) return;
  // A set with an expiry arrives as two notifications, and those of user meta come right after those of its value.
  const std::string_view owner = owner_of(key);
  const bool changes = what == "set" || what == "expire" || what == "persist";
  const bool reported =
      (what == "expire" && just_changed_ == key) || (changes && owner != key && just_changed_ == owner);
  if (reported) return;
  just_changed_ = changes ? key : std::string_view();
  std::uint32_t cause = change->cause;
  if (change->type == OMNISTORE_EVENT_REMOVE) {
    const std::lock_guard guard(mutex_);
    const bool is_cleared = owner == key
                                ? clearing_.erase(std::string(key)) != 0 // user meta is removed before its value
                                : clearing_.erase(std::string(key)) + clearing_.count(std::string(owner)) != 0;
    if (is_cleared && cause == OMNISTORE_CAUSE_REMOVED) cause = OMNISTORE_CAUSE_CLEARED;
  }
  report(change->type, cause, key);
}

void Watch::report(std::uint32_t type, std::uint32_t cause, std::string_view key) {
  const omnistore_event event{sizeof event, type, cause, 0, omnistore::as_bytes(key), 0};
  watcher_.event(&watcher_, &event);
}

// -------------------------------------------------------------------------------------------------- a store's watches

void *Watches::add(const WatchSetup &setup, std::string_view base, omnistore_watcher &watcher) {
  auto watch = std::make_unique<Watch>(setup, base, watcher);
  const std::lock_guard guard(mutex_);
  watches_.push_back(std::move(watch));
  count_ = watches_.size();
  return watches_.back().get();
}

void Watches::end(void *watch) {
  std::unique_ptr<Watch> ended;
  const std::lock_guard guard(mutex_);
  const auto at = std::find_if(watches_.begin(), watches_.end(), [&](auto &each) { return each.get() == watch; });
  if (at == watches_.end()) return;
  ended = std::move(*at);
  watches_.erase(at);
  count_ = watches_.size();
}

void Watches::expect_cleared(std::span<const std::string_view> keys) {
  if (count_ == 0) return;
  const std::lock_guard guard(mutex_);
  for (const auto &watch : watches_) watch->expect_cleared(keys);
}

} // namespace redis
