// SPDX-License-Identifier: Apache-2.0
#include "connection/client.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace redis {
namespace {

/// How often a waiting thread checks if its caller has gone away.
constexpr milliseconds cancel_check{100};
/// A connection that was idle for longer is checked before it is used, since the server may have closed it.
constexpr milliseconds check_after{50};
/// A larger buffer is released after its use.
constexpr std::size_t large_buffer = 1 << 20;
/// The longest pause between two attempts to connect. After a failover a new master is there within seconds.
constexpr milliseconds longest_pause{5000}, longest_failover_pause{500};

milliseconds left(omnistore::Call call) { return milliseconds(call.remaining()); }

omnistore::Failure too_late(omnistore::Call call, bool sent) {
  return {call.late(), "the call's time was over before the server had replied", {!sent, 0}};
}

} // namespace

// ------------------------------------------------------------------------------------------------------- one exchange

Exchange::Wake Exchange::wait(milliseconds span) {
  std::unique_lock lock(mutex_);
  woken_.wait_for(lock, span, [&] { return wake_ != Wake::none; });
  return wake_;
}

Exchange::Wake Exchange::wake() const {
  const std::lock_guard guard(mutex_);
  return wake_;
}

void Exchange::notify(Wake what) {
  {
    const std::lock_guard guard(mutex_);
    wake_ = what;
  }
  woken_.notify_one();
}

// ----------------------------------------------------------------------------------------------------- one connection

void ConnectionSlot::run(const std::shared_ptr<Exchange> &exchange, omnistore::Call call) {
  if (enqueue(exchange) || !follow(exchange, call)) lead(exchange, call);
}

/// Returns true if the caller must lead.
bool ConnectionSlot::enqueue(const std::shared_ptr<Exchange> &exchange) {
  load_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard guard(mutex_);
  queued_.push_back(exchange);
  return !std::exchange(has_leader_, true);
}

/// Waits while another thread leads. Returns false if the caller must lead now.
bool ConnectionSlot::follow(const std::shared_ptr<Exchange> &exchange, omnistore::Call call) {
  for (;;) {
    const milliseconds rest = left(call);
    const Exchange::Wake woken = exchange->wait(std::min(rest, cancel_check));
    if (woken == Exchange::Wake::done) return true;
    if (woken == Exchange::Wake::lead) return false;
    if (left(call).count() > 0) continue;
    const std::lock_guard guard(mutex_);
    const Exchange::Wake now = exchange->wake();
    if (now == Exchange::Wake::done) return true;
    exchange->abandoned = true;
    const bool sent = std::erase(queued_, exchange) == 0;
    if (!sent) load_.fetch_sub(1, std::memory_order_relaxed);
    if (now == Exchange::Wake::lead) pass_leadership();
    throw too_late(call, sent);
  }
}

void ConnectionSlot::start(const std::shared_ptr<Exchange> &exchange, omnistore::Call call) {
  exchange->unattended = true;
  if (!enqueue(exchange)) return;
  attempt([&] {
    if (connect(left(call)) && !demoted_) take_queued(), send();
  });
  const std::lock_guard guard(mutex_);
  pass_leadership();
}

void ConnectionSlot::finish(const std::shared_ptr<Exchange> &exchange, omnistore::Call call) {
  bool leads;
  {
    const std::lock_guard guard(mutex_);
    exchange->unattended = false;
    if (exchange->wake() == Exchange::Wake::done) return;
    leads = !std::exchange(has_leader_, true);
  }
  if (leads || !follow(exchange, call)) lead(exchange, call);
}

/// Runs a step of the leader. If it throws, all exchanges of the connection fail.
template <class Step>
void ConnectionSlot::attempt(Step step) {
  try {
    step();
  } catch (const BrokenConnection &broken) {
    fail_all({OMNISTORE_UNAVAILABLE, shared_.server.shown() + ": " + broken.what()}, true);
  } catch (const omnistore::Failure &failure) {
    const StoredFailure problem{failure.status(), failure.what()};
    shared_.breaker.failed(problem);
    fail_all(problem, false);
  } catch (const std::exception &error) {
    fail_all({OMNISTORE_INTERNAL, error.what()}, false);
  }
}

void ConnectionSlot::lead(const std::shared_ptr<Exchange> &own, omnistore::Call call) {
  while (!own->done()) {
    if (left(call).count() <= 0) give_up(own, call);
    attempt([&] {
      if (!connect(left(call))) return;
      if (!demoted_) take_queued();
      send();
      receive(std::min(left(call), shared_.command_timeout));
    });
  }
  try { // the server gets work while the next leader wakes up
    if (connection_ && !demoted_) take_queued(), send();
  } catch (const std::exception &) {
    // The next leader gets the same failure when it receives.
  }
  const std::lock_guard guard(mutex_);
  pass_leadership();
}

/// The leader's time is over: it passes the leadership on.
void ConnectionSlot::give_up(const std::shared_ptr<Exchange> &own, omnistore::Call call) {
  const std::lock_guard guard(mutex_);
  own->abandoned = true;
  const bool sent = std::erase(queued_, own) == 0;
  if (!sent) load_.fetch_sub(1, std::memory_order_relaxed);
  pass_leadership();
  throw too_late(call, sent);
}

/// The caller holds the lock.
void ConnectionSlot::pass_leadership() {
  for (const Waiting *waiting : {&in_flight_, &queued_}) {
    for (const auto &next : *waiting) {
      if (next->abandoned || next->unattended) continue;
      next->notify(Exchange::Wake::lead);
      return;
    }
  }
  has_leader_ = false;
}

void ConnectionSlot::settle(const std::shared_ptr<Exchange> &exchange) {
  load_.fetch_sub(1, std::memory_order_relaxed);
  exchange->notify(Exchange::Wake::done);
}

/// Drops the connection and fails all its exchanges.
void ConnectionSlot::fail_all(const StoredFailure &problem, bool broken) {
  drop();
  out_.clear();
  sent_ = 0;
  full_ = false;
  Waiting failed = std::exchange(in_flight_, {});
  {
    const std::lock_guard guard(mutex_);
    failed.insert(failed.end(), queued_.begin(), queued_.end());
    queued_.clear();
  }
  for (const auto &exchange : failed) {
    exchange->failure = problem;
    exchange->broken = broken;
    settle(exchange);
  }
}

/// Makes sure that there is a connection. Returns false if the caller had too little time and other connections exist,
/// so that the server is not at fault. If no connection exists it throws, so that the host's task connects with more
/// time.
bool ConnectionSlot::connect(milliseconds limit) {
  if (connection_ && !shared_.server.is_current(connection_->master)) demoted_ = true;
  if (connection_ && in_flight_.empty() &&
      (demoted_ || (Clock::now() - last_heard_ > check_after && connection_->is_closed())))
    drop();
  if (connection_) return true;
  const auto start = Clock::now();
  try {
    connection_ = shared_.server.connect(std::min(limit, shared_.connect_timeout));
  } catch (const omnistore::Failure &) {
    const bool hurried = limit < shared_.connect_timeout && Clock::now() - start >= limit;
    if (hurried && shared_.connected > 0) return false;
    throw;
  }
  shared_.connects.fetch_add(1);
  shared_.breaker.worked();
  connected();
  return true;
}

void ConnectionSlot::connected() {
  connected_ = true;
  shared_.connected.fetch_add(1);
  last_heard_ = Clock::now();
}

void ConnectionSlot::drop() {
  if (connection_) shared_.connected.fetch_sub(1);
  connection_.reset();
  connected_ = false;
  demoted_ = false;
}

void ConnectionSlot::adopt(std::unique_ptr<Connection> connection) {
  const std::lock_guard guard(mutex_);
  if (has_leader_ || connection_) return;
  connection_ = std::move(connection);
  connected();
}

void ConnectionSlot::take_queued() {
  const std::size_t before = in_flight_.size();
  {
    const std::lock_guard guard(mutex_);
    if (queued_.empty()) return;
    std::move(queued_.begin(), queued_.end(), std::back_inserter(in_flight_));
    queued_.clear();
  }
  if (before == 0) last_heard_ = Clock::now();
  if (sent_ == out_.size()) out_.clear(), sent_ = 0;
  for (std::size_t i = before; i < in_flight_.size(); ++i) {
    in_flight_[i]->sent = true;
    out_ += in_flight_[i]->bytes;
  }
}

void ConnectionSlot::send() {
  while (sent_ < out_.size()) {
    const std::size_t sent = connection_->send(std::string_view(out_).substr(sent_));
    if (sent == 0) {
      full_ = true;
      return;
    }
    // The system's buffer takes bytes without the server, unless it was full before.
    if (std::exchange(full_, false)) last_heard_ = Clock::now();
    sent_ += sent;
  }
  if (out_.capacity() > large_buffer) out_ = {}, sent_ = 0;
}

/// Receives bytes and gives the replies to their exchanges. Throws if the server was silent for too long.
void ConnectionSlot::receive(milliseconds wait) {
  if (in_flight_.empty()) return;
  if (!connection_->receive(wait, sent_ < out_.size())) {
    if (Clock::now() - last_heard_ < shared_.command_timeout) return;
    throw omnistore::Failure(OMNISTORE_TIMEOUT, shared_.server.shown() + ": no reply within " +
                                                    std::to_string(shared_.command_timeout.count()) + " ms");
  }
  last_heard_ = Clock::now();
  while (Reply reply = connection_->next()) {
    if (in_flight_.empty()) throw BrokenConnection("the server sent a reply to no request");
    if (is_read_only(*reply) && shared_.server.has_sentinels()) demoted_ = true;
    const auto first = in_flight_.front();
    first->replies.push_back(std::move(reply));
    if (!first->done()) continue;
    in_flight_.pop_front();
    settle(first);
  }
}

// --------------------------------------------------------------------------------------------------- all connections

Client::Client(const omnistore_host &host, const ClientSettings &settings)
    : shared_{Server(settings.endpoint, settings.sentinels), settings.connect_timeout, settings.command_timeout,
              Breaker(host, &Client::try_connection, this, settings.connect_timeout + settings.command_timeout,
                      settings.sentinels.addresses.empty() && !settings.is_cluster ? longest_pause
                                                                                   : longest_failover_pause)} {
  for (std::size_t i = 0; i < settings.pool_size; ++i) slots_.emplace_back(shared_);
}

/// Returns a slot that is connected and free; otherwise one that is free; otherwise the one with the fewest waiting.
ConnectionSlot &Client::choose() {
  ConnectionSlot *fresh = nullptr, *least = &slots_.front();
  for (ConnectionSlot &slot : slots_) {
    const std::uint32_t load = slot.load();
    if (load == 0 && slot.is_connected()) return slot;
    if (load == 0 && !fresh) fresh = &slot;
    if (load < least->load()) least = &slot;
  }
  return fresh ? *fresh : *least;
}

std::size_t Client::in_use() const {
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const ConnectionSlot &slot) { return slot.load() != 0; }));
}

/// The replies are those of a master that may have become a replica. Returns true if it refused all the commands for
/// that, so that another master can be given all of them. Otherwise a refusal becomes a failure of its command.
bool Client::settle_read_only(Replies &replies, bool last) {
  const auto refused = [](const Reply &reply) { return is_read_only(*reply); };
  if (!last && std::all_of(replies.begin(), replies.end(), refused)) return true;
  for (Reply &reply : replies)
    if (refused(reply)) reply = failed_reply({OMNISTORE_UNAVAILABLE, shared_.server.shown() + " has become a replica"});
  return false;
}

Replies Client::run(omnistore::Call call, Commands &commands, OnBroken on_broken) {
  std::string bytes = std::move(commands.bytes());
  for (std::size_t tries = 0;; ++tries) {
    if (left(call).count() <= 0) throw too_late(call, false);
    shared_.breaker.check();
    const auto exchange = std::make_shared<Exchange>(std::move(bytes), commands.count());
    choose().run(exchange, call);
    if (!exchange->failure) {
      if (!shared_.server.has_sentinels() || !settle_read_only(exchange->replies, tries > slots_.size()))
        return std::move(exchange->replies);
      bytes = std::move(exchange->bytes);
      continue;
    }
    const bool unknown = exchange->sent && on_broken == OnBroken::fail;
    if (exchange->broken && tries == 0 && !unknown) {
      bytes = std::move(exchange->bytes);
      continue;
    }
    if (unknown) exchange->failure->message += "; the outcome is not known";
    exchange->failure->details.nothing_done = !exchange->sent;
    throw exchange->failure->failure();
  }
}

StartedExchange Client::start(omnistore::Call call, std::string bytes, std::uint32_t count) {
  if (left(call).count() <= 0) throw too_late(call, false);
  shared_.breaker.check();
  StartedExchange started{&choose(), std::make_shared<Exchange>(std::move(bytes), count)};
  started.slot->start(started.exchange, call);
  return started;
}

void Client::open(omnistore::Call call) {
  try {
    connect(left(call));
  } catch (const omnistore::Failure &failure) {
    if (failure.status() != OMNISTORE_UNAVAILABLE) throw;
    shared_.breaker.failed(
        {failure.status(), failure.what()}); // from here on open() must not throw: the host has a task for this object
  }
}

void Client::connect(milliseconds limit) {
  auto connection = shared_.server.connect(std::min(limit, shared_.connect_timeout));
  shared_.connects.fetch_add(1);
  slots_.front().adopt(std::move(connection));
}

void Client::try_connection(void *self, omnistore_call *call) {
  Client &client = *static_cast<Client *>(self);
  SharedState &shared = client.shared_;
  if (!shared.breaker.begin_try() || !client.wanted_) return;
  try {
    client.connect(left(omnistore::Call(call)));
    shared.breaker.worked();
  } catch (const omnistore::Failure &failure) {
    shared.breaker.failed({failure.status(), failure.what()});
  } catch (const std::exception &error) {
    shared.breaker.failed({OMNISTORE_INTERNAL, error.what()});
  }
}

} // namespace redis
