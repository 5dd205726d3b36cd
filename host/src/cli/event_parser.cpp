// SPDX-License-Identifier: Apache-2.0
#include "cli/event_parser.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/json/parse.hpp>

namespace omnistore::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_line = 64 * 1024; // of a host's, which are a key long

[[noreturn]] void refuse_stream(const std::string &why) {
  throw Error(Status::internal, "the answer is no stream of a host's events: " + why);
}

Event::Cause cause_of(std::string_view name) {
  if (name == "expired") return Event::Cause::expired;
  if (name == "evicted") return Event::Cause::evicted;
  if (name == "cleared") return Event::Cause::cleared;
  return Event::Cause::removed;
}

std::string text_of(const json::object &data, const char *name) {
  const json::value *value = data.if_contains(name);
  if (!value || !value->is_string()) refuse_stream(std::string("an event without ") + name);
  return std::string(value->get_string());
}

} // namespace

void EventParser::read(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() > longest_line) refuse_stream("a line is too long");
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    end_line();
    line_.clear();
  }
}

void EventParser::restart() {
  line_.clear();
  type_.clear();
  data_.clear();
}

void EventParser::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (line_.empty()) return end_event();
  const std::size_t colon = line_.find(':');
  const std::string_view name = std::string_view(line_).substr(0, colon);
  std::string_view value = colon == line_.npos ? std::string_view() : std::string_view(line_).substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "id")
    id_ = value;
  else if (name == "event")
    type_ = value;
  else if (name == "data")
    data_ += value;
}

void EventParser::end_event() {
  const std::string type = std::exchange(type_, {}), text = std::exchange(data_, {});
  if (text.empty()) return;
  boost::system::error_code broken;
  const json::value parsed = json::parse(text, broken);
  if (broken || !parsed.is_object()) refuse_stream("data that is no JSON object");
  const json::object &data = parsed.get_object();

  if (type == "limited") return limited_(text_of(data, "message"));
  Event event{};
  std::from_chars(id_.data(), id_.data() + id_.size(), event.sequence);
  if (type == "resync") {
    event.type = Event::Type::resync;
    if (const json::value *missed = data.if_contains("missed"); missed && missed->is_number())
      event.missed = missed->to_number<std::uint64_t>(broken);
  } else if (type == "update" || type == "remove") {
    event.type = type == "update" ? Event::Type::update : Event::Type::remove;
    event.key = text_of(data, "key");
    std::replace(event.key.begin(), event.key.end(), '/', ':');
    if (event.type == Event::Type::remove) event.cause = cause_of(text_of(data, "cause"));
  } else {
    return; // of a later host
  }
  take_(event);
}

} // namespace omnistore::cli
