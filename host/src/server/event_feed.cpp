// SPDX-License-Identifier: Apache-2.0
#include "server/event_feed.hpp"

#include <chrono>
#include <utility>

#include "server/reply.hpp"

namespace omnistore::server {

namespace {

constexpr std::size_t most_written = 64 * 1024; // bytes of events that wait to be sent, and one event more
constexpr std::size_t kept_written = 4 * 1024;
constexpr std::size_t most_queued = 1024;             // further events that wait, unwritten
constexpr auto remembered = std::chrono::seconds(60); // for a client that comes back

std::string_view cause_name(Event::Cause cause) {
  switch (cause) {
  case Event::Cause::expired:
    return "expired";
  case Event::Cause::evicted:
    return "evicted";
  case Event::Cause::cleared:
    return "cleared";
  case Event::Cause::none:
  case Event::Cause::removed:
    break;
  }
  return "removed";
}

void append_id(Buffer &out, std::uint64_t number) {
  out.append("id: ");
  append_number(out, number);
  out.append("\n");
}

void append_event(Buffer &out, const Event &event) {
  append_id(out, event.sequence);
  if (event.type == Event::Type::resync) {
    out.append("event: resync\ndata: {\"missed\":");
    event.missed == 0 ? out.append("null") : append_number(out, event.missed);
  } else {
    out.append(event.type == Event::Type::update ? "event: update\ndata: {\"key\":" : "event: remove\ndata: {\"key\":");
    append_json_key(out, event.key);
  }
  if (event.type == Event::Type::remove) {
    out.append(",\"cause\":\"");
    out.append(cause_name(event.cause));
    out.append("\"");
  }
  out.append("}\n\n");
}

void append_framed(Buffer &out, std::string_view bytes, bool framed) {
  const std::size_t chunk = framed ? open_chunk(out) : 0;
  out.append(bytes);
  if (framed) close_chunk(out, chunk);
}

} // namespace

std::shared_ptr<void> Places::take() {
  if (taken_->fetch_add(1) < most_) {
    return std::shared_ptr<void>(this, [taken = taken_](void *) { taken->fetch_sub(1); });
  }
  taken_->fetch_sub(1);
  return nullptr;
}

EventFeed::EventFeed(Storage &storage, Subject subject, std::optional<std::uint64_t> after, bool framed,
                     std::shared_ptr<void> place)
    : place_(std::move(place)), subject_(std::move(subject)), framed_(framed) {
  watch_ = storage.watch(
      subject_.key, [this](const Event &event) { tell(event); },
      {.queue = most_queued, .after = after, .linger = remembered, .limited = [this](const std::string &message) {
         tell_limit(message);
       }});
  if (!after) opening_ = watch_.position();
}

EventFeed::~EventFeed() {
  {
    const std::lock_guard lock(mutex_);
    gone_ = true;
  }
  room_.notify_all(); // the end of the watch waits for its callback
}

void EventFeed::tell(const Event &event) {
  if (subject_.is_base && event.key == subject_.key && event.type != Event::Type::resync) return;
  write([&] { append_event(written_, event); });
}

void EventFeed::tell_limit(const std::string &message) {
  write([&] {
    written_.append("event: limited\ndata: {\"message\":");
    append_json(written_, message);
    written_.append("}\n\n");
  });
}

template <typename Append>
void EventFeed::write(const Append &append) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return gone_ || written_.size() < most_written; });
  if (gone_) return;
  const bool first = written_.empty();
  append();
  if (first && ready_) ready_();
}

void EventFeed::start(std::function<void()> ready) {
  const std::lock_guard lock(mutex_);
  ready_ = std::move(ready);
  if (!written_.empty()) ready_();
}

void EventFeed::take(Buffer &out) {
  if (opening_ != 0) {
    Buffer opening;
    append_id(opening, std::exchange(opening_, 0));
    opening.append("\n");
    append_framed(out, opening.view(), framed_);
  }
  {
    const std::lock_guard lock(mutex_);
    if (written_.empty()) return;
    append_framed(out, written_.view(), framed_);
    written_.clear(kept_written);
  }
  room_.notify_all();
}

void EventFeed::keep_alive(Buffer &out) { append_framed(out, ":\n\n", framed_); }

void EventFeed::finish(Buffer &out) {
  if (framed_) last_chunk(out);
}

} // namespace omnistore::server
