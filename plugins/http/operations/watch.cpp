// SPDX-License-Identifier: Apache-2.0
#include "operations/watch.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <omnistore/background.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/value.hpp>

namespace http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds FIRST_PAUSE{250}, LONGEST_PAUSE{15'000};
/// The time limit of a watch that begins is looked at so often; its end wakes the thread at once.
constexpr milliseconds BEGIN_POLL{50};

std::string in_words(milliseconds span) {
  return span.count() % 1000 == 0 ? std::to_string(span.count() / 1000) + "s" : std::to_string(span.count()) + "ms";
}

} // namespace

Watch::Watch(const Client &client, const omnistore_host &host, omnistore::Call call, std::string_view base,
             omnistore_watcher &watcher)
    : client_(client), host_(host), base_(base), watcher_(watcher),
      events_([this](const HostEvent &event) { take(event); }) {
  open(call.trace(), [&] {
    if (call.remaining() <= 0)
      throw omnistore::Failure(call.late(), client_.base().shown + ": no whole response came in time");
  });
  thread_ = omnistore::background_thread([this] { run(); });
}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (stream_) stream_->wake();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

/// Opens a stream, and returns after its head has come. `time_is_up` throws if it takes too long.
template <class TimeIsUp>
void Watch::open(std::string_view trace, TimeIsUp time_is_up) {
  Request request;
  request.path = "/" + path_of(base_);
  request.headers = {{"Accept", "text/event-stream"}};
  if (!events_.last_id().empty()) request.headers.emplace_back("Last-Event-ID", events_.last_id());
  events_.restart();
  auto stream =
      std::make_unique<Stream>(client_, trace, request, [this](const Response &response, std::string_view piece) {
        if (response.content_type.starts_with("text/event-stream")) events_.read(piece);
        return true;
      });
  const auto deadline = Clock::now() + client_.limits().timeout;
  const auto has_begun = [&] { return stream->response().has_head && stream->response().good(); };
  for (bool running = true; running && !has_begun();) {
    try {
      running = stream->step(BEGIN_POLL);
    } catch (const omnistore::Failure &) {
      if (!has_begun()) throw;
      running = false; // it broke off after it had begun: listen() meets the same failure
    }
    time_is_up();
    if (Clock::now() >= deadline)
      throw omnistore::Failure(OMNISTORE_TIMEOUT, client_.base().shown + ": no whole response came in time");
  }
  const Response &response = stream->response();
  if (!response.good() && !response.gone()) throw client_.refused(request, response);
  if (response.gone() || !response.content_type.starts_with("text/event-stream"))
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, client_.base().shown + " does not report changes");
  const std::lock_guard lock(mutex_);
  stream_ = std::move(stream);
}

void Watch::run() noexcept {
  try {
    for (std::string why = listen(); !ended(); why = listen())
      if (!reconnect(std::move(why))) return;
  } catch (const std::exception &error) {
    omnistore::log_line(host_, OMNISTORE_LOG_ERROR, std::string("watch: it ends: ") + error.what());
  }
}

/// Reports events until the stream or the watch ends. Returns why the stream ended.
std::string Watch::listen() {
  try {
    while (!ended() && stream_->step(client_.limits().idle_timeout)) {
    }
    return client_.base().shown + ": the host ended the stream of events";
  } catch (const omnistore::Failure &failure) {
    return failure.what();
  }
}

/// Tries until there is a stream again. Returns false if the watch ends. A reason is logged when it is new.
bool Watch::reconnect(std::string why) {
  std::string logged;
  for (milliseconds pause = FIRST_PAUSE;; pause = std::min(pause * 2, LONGEST_PAUSE)) {
    if (why != logged)
      omnistore::log_line(host_, OMNISTORE_LOG_WARN, "watch: " + why + "; trying again in " + in_words(pause));
    logged = std::move(why);
    if (ended_within(pause)) return false;
    const bool can_resume = !events_.last_id().empty();
    try {
      struct Ended {};
      try {
        open({}, [this] {
          if (ended()) throw Ended();
        });
      } catch (const Ended &) {
        return false;
      }
      if (!can_resume) take({OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, 0});
      return true;
    } catch (const omnistore::Failure &failure) {
      why = failure.what();
    }
  }
}

bool Watch::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Watch::ended_within(milliseconds pause) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, pause, [this] { return ended_; });
}

void Watch::take(const HostEvent &from) {
  omnistore_event event{sizeof event, from.type, from.cause, 0, omnistore::as_bytes(from.key), from.missed};
  if (event.type == OMNISTORE_EVENT_LIMITED) {
    if (!limits_.insert(from.key).second) return; // every new stream begins with its limits
  } else if (event.type == OMNISTORE_EVENT_RESYNC) {
    event.key = {};
  } else {
    const std::string_view key = own_key(from.key);
    if (!is_key(key) || !key.starts_with(base_)) return;
    event.key = omnistore::as_bytes(key);
  }
  watcher_.event(&watcher_, &event);
}

/// Returns a key as the store knows it. The host names keys from its own root, which may lie above the base: under
/// http://host/x/y a key `a` may be called `x:y:a`, `y:a` or `a`.
std::string_view Watch::own_key(std::string_view key) const {
  const std::vector<std::string> &path = client_.base().path;
  for (std::size_t first = 0; first < path.size(); ++first) {
    std::string prefix;
    for (std::size_t i = first; i < path.size(); ++i) (prefix += path[i]) += ':';
    if (key.starts_with(prefix + base_)) return key.substr(prefix.size());
  }
  return key;
}

} // namespace http
