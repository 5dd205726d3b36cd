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

constexpr milliseconds first_retry{50}, longest_retry{5000}, longest_failover_retry{500};
/// How often a watch checks if the masters of a cluster are still the same.
constexpr milliseconds check_pause{1000};
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
      channel_("__keyspace@" + std::to_string(setup.servers.settings().endpoint.database) + "__:"), watcher_(watcher),
      feeds_(subscribe_all()) {
  proof_.start();
  prove();
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
  stopping_ = true;
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

/// The proof is no newer than the last moment at which the server was surely the master: another one may have changes
/// that this server does not report.
std::int64_t Watch::lag() const {
  const auto unconfirmed = std::chrono::ceil<milliseconds>(Clock::now() - confirmed_.load(std::memory_order_acquire));
  return std::max(proof_.age(), static_cast<std::int64_t>(unconfirmed.count()));
}

// --------------------------------------------------------------------------------------------------------- subscribing

/// Returns a connection to each server that has keys.
std::vector<Watch::Feed> Watch::subscribe_all() {
  omnistore::BackgroundCall call(&stopping_);
  checked_ = Clock::now();
  if (Cluster *const cluster = setup_.servers.cluster())
    cluster->refresh(omnistore::Call(&call), cluster->map(omnistore::Call(&call)));
  std::vector<Feed> feeds;
  for (Client *master : setup_.servers.masters(omnistore::Call(&call))) feeds.push_back(subscribe(*master));
  if (const ClientSettings &settings = setup_.servers.settings(); !settings.sentinels.addresses.empty()) {
    const Feed &feed = feeds.front();
    confirmed_ = checked_;
    master_check_ = std::make_unique<MasterCheck>(feed.server->server(), feed.connection->master,
                                                  settings.connect_timeout, confirmed_);
  }
  next_check_ = Clock::now() + check_pause;
  return feeds;
}

/// Returns the names of channels for a pattern of names.
std::string Watch::channels(std::string_view names) const { return channel_ + std::string(names); }

Watch::Feed Watch::subscribe(Client &server) {
  const ClientSettings &settings = setup_.servers.settings();
  const Clock::time_point begun = Clock::now();
  const auto deadline = begun + settings.connect_timeout + settings.command_timeout;
  auto connection = server.server().connect(settings.connect_timeout);
  try {
    const bool reports = require_notifications(*connection, deadline);
    Commands id;
    id.add("CLIENT", "ID");
    const Replies own = connection->exchange(id, deadline);
    Commands commands;
    if (!is_error(*own[0])) {
      // There is no notification of FLUSHALL and FLUSHDB, but clients that track keys are informed. The prefix matches
      // no key, so they are informed of nothing else. If the server refuses this, the watch works without it.
      commands.add("CLIENT", "TRACKING", "ON", "REDIRECT", integer_of(*own[0]), "BCAST", "PREFIX", "\1\2\3");
    }
    commands.add("SUBSCRIBE", "__redis__:invalidate");
    const std::string names = setup_.layout.pattern(base_);
    commands.add("PSUBSCRIBE", channels(names));
    // In a cluster the names of user meta do not begin as those of values do (layout.hpp). "*" has all of them.
    if (setup_.layout.is_cluster() && names != "*")
      commands.add("PSUBSCRIBE", channels("{" + names + "}$"), channels("{*}" + names + "$"));
    const Replies replies = connection->exchange(commands, deadline);
    not_error(*replies.back());
    const bool tracks = !is_error(*own[0]) && !is_error(*replies.front()); // otherwise it does not learn of a FLUSHALL
    return {&server, std::move(connection), reports && tracks, begun, begun, begun};
  } catch (const BrokenConnection &broken) {
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, server.server().shown() + ": " + broken.what());
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
      listen();
      return;
    } catch (const std::exception &error) {
      omnistore::log_line(setup_.host, OMNISTORE_LOG_WARN,
                          std::string("watch: ") + error.what() + "; it is tried again");
    }
  } while (reconnect());
}

/// Returns false if the watch ends.
bool Watch::reconnect() {
  std::minstd_rand random(std::random_device{}());
  feeds_.clear();
  master_check_.reset();
  const bool fails_over = setup_.servers.cluster() || !setup_.servers.settings().sentinels.addresses.empty();
  const milliseconds longest = fails_over ? longest_failover_retry : longest_retry;
  for (milliseconds pause = first_retry;; pause = std::min(2 * pause, longest)) {
    std::uniform_int_distribution<milliseconds::rep> some(pause.count() * 3 / 4, pause.count());
    if (stopped(milliseconds(some(random)))) return false;
    try {
      feeds_ = subscribe_all();
      break;
    } catch (const std::exception &) {
      // The reason was logged when the connection was lost; the next try follows.
    }
  }
  {
    const std::lock_guard guard(mutex_);
    clearing_.clear();
  }
  changes_.clear();
  report(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {});
  prove();
  return true;
}

bool Watch::stopped(milliseconds wait) {
  pollfd end{stop_[0], POLLIN, 0};
  return poll(&end, 1, static_cast<int>(wait.count())) > 0;
}

/// Returns when the watch ends. Throws if a server is away, or there are other masters.
void Watch::listen() {
  std::vector<pollfd> ready;
  for (;;) {
    for (Feed &feed : feeds_) // bytes that arrived with the reply to the subscription, or that TLS has read
      while (const Reply message = feed.connection->next()) take(feed, *message);
    take_changes();
    prove();
    Clock::time_point wake = Clock::time_point::max();
    if (setup_.servers.cluster()) wake = next_check_;
    ready.assign({{stop_[0], POLLIN, 0}});
    for (const Feed &feed : feeds_) {
      wake = std::min(wake, due(feed));
      ready.push_back({feed.connection->descriptor(), POLLIN, 0});
    }
    if (master_check_) ready.push_back({master_check_->descriptor(), POLLIN, 0});
    const auto left = std::max(std::chrono::ceil<milliseconds>(wake - Clock::now()), milliseconds(0));
    poll(ready.data(), ready.size(), static_cast<int>(left.count()));
    if (ready[0].revents != 0) return;
    just_changed_.clear();
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
      try {
        hear(feeds_[i], ready[i + 1].revents != 0);
      } catch (const BrokenConnection &broken) {
        throw BrokenConnection(feeds_[i].server->server().shown() + ": " + broken.what());
      }
    }
    check_masters();
  }
}

/// Receives what has arrived, and sends a ping if one is due. A ping shows that the server is still there. Its reply
/// comes after the notifications of all changes that were made before it, so it also proves that these are complete.
void Watch::hear(Feed &feed, bool has_bytes) {
  if (has_bytes && feed.connection->receive(milliseconds(0))) feed.heard = Clock::now();
  const Clock::time_point now = Clock::now();
  if (now < due(feed)) return;
  if (feed.waits)
    throw BrokenConnection("no reply within " + std::to_string(setup_.servers.settings().command_timeout.count()) +
                           " ms");
  Commands ping;
  ping.add("PING");
  feed.pinged = now;
  feed.waits = feed.connection->send(ping.bytes()) == ping.bytes().size();
  if (!feed.waits) throw BrokenConnection("nothing can be sent");
}

/// Returns the time of the next ping, or the time at which the reply to the last one is too late.
Clock::time_point Watch::due(const Feed &feed) const {
  const milliseconds patience = setup_.servers.settings().command_timeout;
  if (feed.waits) return std::max(feed.heard, feed.pinged) + patience;
  return proof_.is_wanted() ? feed.pinged + std::min(omnistore::WatchProof::interval, patience) : feed.heard + patience;
}

/// All changes have been reported that were made before the last ping to which each server has replied.
void Watch::prove() {
  Clock::time_point proven = setup_.servers.cluster() ? checked_ : Clock::time_point::max();
  for (const Feed &feed : feeds_) {
    if (!feed.is_complete) return;
    proven = std::min(proven, feed.proven);
  }
  proof_.renew(proven);
}

/// Throws if other masters than those of the feeds have the slots of the cluster now, or the sentinels name another
/// one.
void Watch::check_masters() {
  if (master_check_ && !master_check_->is_current()) throw BrokenConnection("the sentinels name another master now");
  Cluster *const cluster = setup_.servers.cluster();
  const Clock::time_point begun = Clock::now();
  if (!cluster || begun < next_check_) return;
  next_check_ = begun + check_pause;
  omnistore::BackgroundCall call(&stopping_);
  std::vector<Client *> masters, own;
  try {
    masters = cluster->refresh(omnistore::Call(&call), cluster->map(omnistore::Call(&call)))->masters;
  } catch (const omnistore::Failure &) {
    return; // if the servers are away, the feeds will break
  }
  for (const Feed &feed : feeds_) own.push_back(feed.server);
  std::sort(masters.begin(), masters.end());
  std::sort(own.begin(), own.end());
  if (own != masters) throw BrokenConnection("the cluster has other masters now");
  checked_ = begun;
}

void Watch::take(Feed &feed, const redisReply &message) {
  if (message.type != REDIS_REPLY_ARRAY || message.elements < 2) return;
  const std::string_view kind = string_of(*message.element[0]);
  if (kind == "pong" && std::exchange(feed.waits, false)) feed.proven = feed.pinged;
  if (message.elements < 3) return;
  if (kind == "message" && is_nil(*message.element[2])) {
    report(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}); // the database was flushed
  } else if (kind == "pmessage" && message.elements == 4) {
    std::string_view channel = string_of(*message.element[2]);
    if (!channel.starts_with(channel_)) return;
    take_notification(channel.substr(channel_.size()), string_of(*message.element[3]));
  }
}

void Watch::take_notification(std::string_view name, std::string_view what) {
  if (!setup_.layout.is_cluster()) {
    if (const auto key = setup_.layout.key_of(name)) take_change(*key, what);
    return;
  }
  if (name.ends_with("$$")) return; // a binding
  if (const auto owner = setup_.layout.owner_of_meta(name); owner && owner->starts_with(base_))
    changes_.push_back({std::string(name), std::string(*owner) + "$", std::string(what)});
  else if (const auto key = setup_.layout.key_of(name); key && key->starts_with(base_))
    changes_.push_back({std::string(name), std::string(*key), std::string(what)});
}

/// Reports the changes that a cluster has sent. If a slot moves, its keys are restored at the new master and then
/// deleted at the old one. So a key that is deleted and exists nevertheless is reported as an update.
void Watch::take_changes() {
  if (changes_.empty()) return;
  std::vector<Change *> deleted;
  Commands commands;
  for (Change &change : changes_) {
    if (change.what != "del") continue;
    deleted.push_back(&change);
    commands.route(slot_of(change.name));
    commands.add("EXISTS", change.name);
  }
  if (!deleted.empty()) {
    omnistore::BackgroundCall call(&stopping_);
    try {
      const Replies replies = setup_.servers.run(omnistore::Call(&call), commands, OnBroken::resend);
      for (std::size_t i = 0; i < deleted.size(); ++i)
        if (integer_of(*replies[i]) != 0) deleted[i]->what = "restore";
    } catch (const omnistore::Failure &failure) {
      throw BrokenConnection(failure.what());
    }
  }
  for (const Change &change : changes_) take_change(change.key, change.what);
  changes_.clear();
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
