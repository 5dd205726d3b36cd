// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <algorithm>
#include <chrono>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <omnistore/background.hpp>

namespace postgres {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view NO_TRIGGERS =
    "the table has no triggers that notify of changes; set the option triggers of a store over it";
/// How often the thread checks that the server is still there, if nobody needs the proof more often.
constexpr std::chrono::milliseconds SILENCE{10'000};

/// The bytes that hexadecimal digits stand for.
std::string from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

} // namespace

Watches::Watches(const omnistore_host &host, const Statements &statements, Pool::Open open)
    : host_(host), statements_(statements), open_(std::move(open)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "no descriptor is free");
}

Watches::~Watches() {
  stop();
  close(wake_);
}

void *Watches::add(omnistore::Call call, std::string_view base, omnistore_watcher &watcher) {
  const std::lock_guard starting(starting_);
  proof_.start();
  void *added = nullptr;
  {
    const std::lock_guard guard(lock_);
    added = &watches_.emplace_back(Watch{std::string(base), &watcher});
  }
  if (!thread_.joinable()) {
    try {
      listen(call);
      proof_.renew(listened_);
    } catch (const omnistore::Failure &failure) {
      if (failure.status() != OMNISTORE_UNAVAILABLE) {
        const std::lock_guard guard(lock_);
        watches_.pop_back();
        throw;
      }
      connection_.reset(); // the thread connects later, and then reports a resync
    }
    thread_ = omnistore::background_thread([this] { run(); });
  }
  return added;
}

void Watches::end(void *watch) {
  const std::lock_guard starting(starting_);
  bool last = false;
  {
    const std::lock_guard guard(lock_);
    watches_.remove_if([&](const Watch &each) { return &each == watch; });
    last = watches_.empty();
  }
  if (last) stop();
}

bool Watches::any() const {
  const std::lock_guard guard(lock_);
  return !watches_.empty();
}

void Watches::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  eventfd_write(wake_, 1);
  thread_.join();
  eventfd_t ignored;
  eventfd_read(wake_, &ignored);
  stopping_ = false;
  connection_.reset();
}

void Watches::listen(omnistore::Call call) {
  auto connection = open_(call);
  listened_ = Clock::now();
  connection->text(call, "LISTEN \"" + statements_.channel() + '"');
  if (!statements_.has_triggers(*connection, call))
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, std::string(NO_TRIGGERS));
  connection_ = std::move(connection);
}

void Watches::report(std::uint32_t type, std::uint32_t cause, std::string_view key) {
  const omnistore_event event{sizeof event, type, cause, 0, omnistore::as_bytes(key), 0};
  const bool names_key = type == OMNISTORE_EVENT_UPDATE || type == OMNISTORE_EVENT_REMOVE;
  const std::lock_guard guard(lock_);
  for (const Watch &watch : watches_)
    if (!names_key || key.starts_with(watch.base)) watch.watcher->event(watch.watcher, &event);
}

void Watches::take(std::string_view payload) {
  if (payload.empty()) return;
  const std::string key = from_hex(payload.substr(1));
  switch (payload[0]) {
  case 'u':
    return report(OMNISTORE_EVENT_UPDATE, 0, key);
  case 'r':
    return report(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED, key);
  case 'e':
    return report(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, key);
  default:
    return report(OMNISTORE_EVENT_RESYNC, 0, {});
  }
}

bool Watches::wait(int socket, int milliseconds, bool &readable) {
  pollfd waited[2] = {{wake_, POLLIN, 0}, {socket, POLLIN, 0}};
  poll(waited, 2, milliseconds);
  readable = waited[1].revents != 0;
  return !stopping_;
}

void Watches::take_all() {
  while (PGnotify *notify = PQnotifies(connection_->db())) {
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> owner(notify, &PQfreemem);
    take(notify->extra);
  }
}

/// Returns when the connection is lost, or the watches end. The server sends the notifications of all changes that were
/// committed before a query with that query's result. So the query shows that the server is still there, and proves
/// that the watches are complete up to then.
void Watches::hear() {
  bool readable = false;
  for (Clock::time_point checked = Clock::now();;) {
    take_all();
    const auto pause = proof_.is_wanted() ? omnistore::WatchProof::interval : SILENCE;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(checked + pause - Clock::now());
    if (connection_->is_broken() || !wait(connection_->socket(), std::max(0, static_cast<int>(left.count())), readable))
      return;
    if (readable && PQconsumeInput(connection_->db()) != 1) return;
    if (Clock::now() < checked + pause) continue;
    checked = Clock::now();
    omnistore::BackgroundCall call(&stopping_, checked + std::chrono::seconds(5));
    connection_->text(omnistore::Call(&call), "SELECT 1");
    take_all();
    proof_.renew(checked);
  }
}

void Watches::run() {
  const auto log = [&](const char *why) {
    if (!stopping_) omnistore::log_line(host_, OMNISTORE_LOG_DEBUG, std::string("the watch's connection: ") + why);
  };
  int backoff = 50;
  while (!stopping_) {
    try {
      if (!connection_) {
        omnistore::BackgroundCall call(&stopping_, Clock::now() + std::chrono::seconds(10));
        listen(omnistore::Call(&call));
        report(OMNISTORE_EVENT_RESYNC, 0, {});
        proof_.renew(listened_);
      }
      backoff = 50;
      hear();
    } catch (const omnistore::Failure &failure) {
      // The triggers went while the connection was away.
      if (failure.status() == OMNISTORE_UNSUPPORTED) report(OMNISTORE_EVENT_LIMITED, 0, NO_TRIGGERS);
      log(failure.what());
    } catch (const std::exception &error) {
      log(error.what());
    }
    if (stopping_) return;
    if (connection_) { // it was lost just now
      connection_.reset();
      report(OMNISTORE_EVENT_RESYNC, 0, {});
    }
    bool ignored = false;
    wait(-1, backoff, ignored);
    backoff = std::min(backoff * 2, 2000);
  }
}

} // namespace postgres
