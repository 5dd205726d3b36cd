// SPDX-License-Identifier: Apache-2.0
#include "routes/event_feed.hpp"

#include <chrono>
#include <utility>

#include "http/reply.hpp"

namespace omnistore::routes {

namespace {

constexpr std::size_t most_taken = 64 * 1024;         // bytes that one take() gives; the last event may exceed it
constexpr std::size_t most_queued = 1024 * 1024;      // events that wait, if the hub has room for them
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

std::string event_text(const Event &event) {
  Buffer text;
  append_event(text, event);
  return std::string(text.view());
}

/// Appends events to a buffer. If they are framed, all of them are one chunk.
class FeedWriter final : public EventTaker {
public:
  FeedWriter(Buffer &out, bool framed, std::string_view omitted)
      : out_(out), omitted_(omitted), chunk_(framed ? open_chunk(out) : 0), begin_(out.size()), framed_(framed) {}
  bool event(const Record &record) override {
    if (omitted_.empty() || record.event.key != omitted_) out_.append(record.text(event_text));
    return !full();
  }
  bool limited(const std::string &message) override {
    out_.append("event: limited\ndata: {\"message\":");
    append_json(out_, message);
    out_.append("}\n\n");
    return !full();
  }
  bool full() const { return out_.size() - begin_ >= most_taken; }
  void end() {
    if (framed_) close_chunk(out_, chunk_);
  }

private:
  Buffer &out_;
  const std::string_view omitted_; ///< a key whose events the client does not want
  const std::size_t chunk_, begin_;
  const bool framed_;
};

} // namespace

std::shared_ptr<void> StreamSlots::take() {
  if (taken_->fetch_add(1) < most_) {
    return std::shared_ptr<void>(this, [taken = taken_](void *) { taken->fetch_sub(1); });
  }
  taken_->fetch_sub(1);
  return nullptr;
}

EventFeed::EventFeed(Storage &storage, Subject subject, std::optional<std::uint64_t> after, bool framed,
                     std::shared_ptr<void> place)
    : place_(std::move(place)), subject_(std::move(subject)), framed_(framed),
      watch_(storage, subject_.key, [this] { ready_(); },
             {.queue = most_queued, .after = after, .linger = remembered, .limited = {}}) {
  if (!after) opening_ = watch_.position();
}

EventFeed::~EventFeed() = default;

void EventFeed::start(std::function<void()> ready) { ready_ = std::move(ready); }

bool EventFeed::take(Buffer &out) {
  FeedWriter writer(out, framed_, subject_.is_base ? std::string_view(subject_.key) : std::string_view());
  if (opening_ != 0) {
    append_id(out, std::exchange(opening_, 0));
    out.append("\n");
  }
  watch_.take(writer);
  writer.end();
  return writer.full();
}

void EventFeed::keep_alive(Buffer &out) {
  const std::size_t chunk = framed_ ? open_chunk(out) : 0;
  out.append(":\n\n");
  if (framed_) close_chunk(out, chunk);
}

void EventFeed::finish(Buffer &out) {
  if (framed_) last_chunk(out);
}

} // namespace omnistore::routes
