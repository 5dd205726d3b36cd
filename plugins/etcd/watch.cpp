// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <algorithm>
#include <chrono>

#include <omnistore/background.hpp>
#include <omnistore/value.hpp>

#include "operations.hpp"
#include "transport/base.hpp"

namespace etcd {
namespace {

using http::milliseconds;
using omnistore::as_bytes, omnistore::Failure;

constexpr milliseconds FIRST_PAUSE{50}, LONGEST_PAUSE{5'000};
constexpr milliseconds POLL{50};
constexpr milliseconds PROOF_LIMIT{2'000}, CATCH_UP{500};
constexpr milliseconds BEGIN_LIMIT{10'000}; ///< for etcd to confirm a watch

} // namespace

Watch::Watch(Cluster &cluster, const omnistore_host &host, omnistore::Call call, const std::string &prefix,
             std::string_view base, omnistore_watcher &watcher)
    : cluster_(cluster), host_(host), prefix_(prefix), base_(base), watcher_(watcher) {
  newest_revision(call); // finds a member that works, and renews the token
  open(call);
  proof_.start();
  proof_.renew(opened_);
  thread_ = omnistore::background_thread([this] { run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    ends_ = true;
    if (stream_) stream_->wake();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

/// Opens a stream, and returns after etcd has confirmed the watch.
void Watch::open(omnistore::Call call) {
  opened_ = Clock::now();
  const std::string first = prefix_ + base_;
  request_ = R"({"create_request":{"key":)" + quoted(first.empty() ? std::string(1, '\0') : first) +
             R"(,"range_end":)" + quoted(end_of(first)) + R"(,"prev_kv":true,"progress_notify":true)" +
             (next_ != 0 ? R"(,"start_revision":")" + std::to_string(next_) + '"' : "") + "}}";
  body_ = std::make_unique<http::Body>(std::string_view(request_));
  pending_.clear();
  created_ = false;
  auto stream = cluster_.stream(call, *body_, [this](const http::Response &, std::string_view piece) {
    pending_ += piece;
    std::size_t from = 0;
    for (std::size_t end; (end = pending_.find('\n', from)) != pending_.npos; from = end + 1)
      take(std::string_view(pending_).substr(from, end - from));
    pending_.erase(0, from);
    return true;
  });
  const auto limit = std::chrono::steady_clock::now() + BEGIN_LIMIT;
  while (!created_) {
    if (!stream->step(POLL) && !created_) throw cluster_.failure(stream->response().text, stream->response().status);
    if (created_) break;
    if (call.remaining() <= 0) throw Failure(call.late(), "etcd did not confirm the watch in time");
    if (ended() || std::chrono::steady_clock::now() > limit)
      throw Failure(OMNISTORE_TIMEOUT, "etcd did not confirm the watch in time");
  }
  const std::lock_guard lock(mutex_);
  stream_ = std::move(stream);
}

void Watch::run() noexcept {
  omnistore::BackgroundCall background;
  std::string logged;
  for (milliseconds pause = FIRST_PAUSE; !ended();) {
    bool quiet = false;
    std::string why;
    try {
      if (!stream_) {
        open(omnistore::Call(&background));
        catch_up();
      }
      logged.clear();
      pause = FIRST_PAUSE;
      quiet = listen();
      why = "etcd ended the stream of changes";
    } catch (const Refused &refused) {
      quiet = cluster_.renew_token(refused);
      why = refused.what();
    } catch (const Failure &failure) {
      // Nothing came for a while. A member that is cut off would look the same.
      quiet = failure.status() == OMNISTORE_TIMEOUT && created_;
      why = failure.what();
    } catch (const std::exception &error) {
      why = error.what();
    }
    if (ended()) return;
    {
      const std::lock_guard lock(mutex_);
      stream_.reset();
    }
    if (quiet) continue;
    cluster_.stream_broke();
    if (why != logged) omnistore::log_line(host_, OMNISTORE_LOG_WARN, "watch: " + why + "; trying again");
    logged = why;
    if (ended_within(pause)) return;
    pause = std::min(pause * 2, LONGEST_PAUSE);
  }
}

/// Follows the stream. Returns true if it must be opened again although etcd has not ended it.
bool Watch::listen() {
  Clock::time_point next = Clock::now() + omnistore::WatchProof::interval;
  while (!ended()) {
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now());
    const bool wanted = proof_.is_wanted();
    if (!stream_->step(wanted ? std::max(left, milliseconds(0)) : milliseconds(60'000))) return false;
    if (!wanted || Clock::now() < next) continue;
    if (!prove()) return true;
    next = Clock::now() + omnistore::WatchProof::interval;
  }
  return false;
}

/// Asks etcd for its revision, which a majority of the members confirms. Once the watch has come that far, it is
/// complete up to now. Returns false if it did not come as far as etcd was at the previous call: then the stream may be
/// dead, or only keys that are not watched have changed. A new stream shows which it is.
bool Watch::prove() {
  if (newest_ != 0) return false;
  omnistore::BackgroundCall call(&ends_, Clock::now() + PROOF_LIMIT);
  const Clock::time_point now = Clock::now();
  try {
    newest_ = newest_revision(omnistore::Call(&call));
  } catch (const Failure &) { // the proof gets older meanwhile
    return true;
  }
  checked_ = now;
  reached();
  return true;
}

void Watch::reached() {
  if (newest_ == 0 || next_ <= newest_) return;
  newest_ = 0;
  proof_.renew(checked_);
}

/// Follows a stream that was opened again until it has caught up. etcd sends the missed events of a new watch within a
/// tenth of a second, but does not say when it has.
void Watch::catch_up() {
  for (const Clock::time_point end = Clock::now() + CATCH_UP; newest_ != 0 && !ended();) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (left.count() > 0) {
      if (!stream_->step(left)) return;
      continue;
    }
    if (shown_ >= newest_) proof_.renew(checked_);
    newest_ = 0;
  }
}

std::int64_t Watch::newest_revision(omnistore::Call call) {
  const std::string found = cluster_.post(
      call, "/v3/kv/range", R"({"key":)" + quoted(prefix_ + base_ + "a") + R"(,"count_only":true})", Kind::read);
  return parse(found)["header"]["revision"].number();
}

/// Takes one message of the stream, on the thread that runs the stream's step.
void Watch::take(std::string_view line) {
  if (line.find_first_not_of(" \r") == line.npos) return;
  const Json message = parse(line);
  if (message.has("error")) throw cluster_.failure(line, 200);
  const Json &result = message["result"];
  if (result["canceled"].is_true()) {
    if (result["compact_revision"].number() != 0) {
      next_ = 0; // the events from there on are gone: the next stream begins with a resync
      throw Failure(OMNISTORE_UNAVAILABLE,
                    "etcd has compacted the changes that were not read; copies are checked anew");
    }
    const std::string reason = http::message_part(std::string(result["cancel_reason"].text));
    throw Failure(reason.find("ermission") != reason.npos ? OMNISTORE_DENIED : OMNISTORE_UNAVAILABLE,
                  "etcd ended the watch: " + reason);
  }
  if (result["created"].is_true()) {
    created_ = true;
    shown_ = result["header"]["revision"].number();
    if (next_ == 0) {
      next_ = result["header"]["revision"].number() + 1;
      if (had_one_) report(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {});
      reached();
    }
    had_one_ = true;
    return;
  }
  const std::vector<Json> &events = result["events"].items;
  for (const Json &each : events) report(each);
  // A message holds all events of its revisions. One without events says how far etcd has come.
  next_ = std::max(next_,
                   (events.empty() ? result["header"]["revision"] : events.back()["kv"]["mod_revision"]).number() + 1);
  reached();
}

void Watch::report(const Json &event) {
  const std::string whole = event["kv"]["key"].bytes();
  if (!whole.starts_with(prefix_)) return;
  const std::string_view key = std::string_view(whole).substr(prefix_.size());
  if (!http::is_key(key)) return;
  if (event["type"].text != "DELETE") return report(OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, key);
  std::uint32_t cause = OMNISTORE_CAUSE_REMOVED;
  Found before;
  before.text = event["prev_kv"]["value"].bytes();
  try {
    if (before.record().expired(host_.now(&host_))) cause = OMNISTORE_CAUSE_EXPIRED;
  } catch (const Failure &) { // a damaged record has gone
  }
  report(OMNISTORE_EVENT_REMOVE, cause, key);
}

void Watch::report(std::uint32_t type, std::uint32_t cause, std::string_view key) {
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  watcher_.event(&watcher_, &event);
}

bool Watch::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Watch::ended_within(milliseconds pause) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, pause, [this] { return ended_; });
}

} // namespace etcd
