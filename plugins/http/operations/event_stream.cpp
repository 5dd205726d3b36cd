// SPDX-License-Identifier: Apache-2.0
#include "operations/event_stream.hpp"

#include <algorithm>
#include <utility>

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

namespace http {
namespace {

constexpr std::size_t LONGEST_LINE = 64 * 1024; // a host's lines hold a key at most

[[noreturn]] void refuse_stream(const std::string &why) {
  throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the response is not a stream of a host's events: " + why);
}

std::uint32_t cause_of(std::string_view name) {
  if (name == "expired") return OMNISTORE_CAUSE_EXPIRED;
  if (name == "evicted") return OMNISTORE_CAUSE_EVICTED;
  if (name == "cleared") return OMNISTORE_CAUSE_CLEARED;
  return OMNISTORE_CAUSE_REMOVED;
}

/// Returns an event of a kind that the driver knows; its type is 0 otherwise.
HostEvent event_of(std::string_view type, const std::string &data) {
  const omnistore::Options fields(data);
  HostEvent event;
  if (type == "limited") {
    event.type = OMNISTORE_EVENT_LIMITED;
    event.key = fields.string("message");
  } else if (type == "resync") {
    event.type = OMNISTORE_EVENT_RESYNC;
    event.missed = static_cast<std::uint64_t>(std::max<std::int64_t>(fields.integer("missed", 0), 0));
  } else if (type == "update" || type == "remove") {
    event.type = type == "update" ? OMNISTORE_EVENT_UPDATE : OMNISTORE_EVENT_REMOVE;
    event.key = fields.string("key");
    std::replace(event.key.begin(), event.key.end(), '/', ':');
    if (event.type == OMNISTORE_EVENT_REMOVE) event.cause = cause_of(fields.string("cause", ""));
  }
  return event;
}

} // namespace

void EventStream::read(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() > LONGEST_LINE) refuse_stream("a line is too long");
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    end_line();
    line_.clear();
  }
}

void EventStream::restart() {
  line_.clear();
  type_.clear();
  data_.clear();
  next_id_ = id_;
}

void EventStream::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (line_.empty()) return end_event();
  const std::size_t colon = line_.find(':');
  const std::string_view name = std::string_view(line_).substr(0, colon);
  std::string_view value = colon == line_.npos ? std::string_view() : std::string_view(line_).substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "id")
    next_id_ = value;
  else if (name == "event")
    type_ = value;
  else if (name == "data")
    data_ += value;
}

void EventStream::end_event() {
  const std::string type = std::exchange(type_, {}), data = std::exchange(data_, {});
  id_ = next_id_; // not before: an event that is cut off must come again
  if (data.empty()) return;
  HostEvent event;
  try {
    event = event_of(type, data);
  } catch (const omnistore::Failure &failure) {
    refuse_stream(failure.what());
  }
  if (event.type != 0) take_(event);
}

} // namespace http
