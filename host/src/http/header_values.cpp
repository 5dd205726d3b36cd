// SPDX-License-Identifier: Apache-2.0
#include "http/header_values.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/ascii.hpp"
#include "http/target.hpp"

namespace omnistore::http {

using base::equal_ignoring_case;
using base::trimmed;

std::string_view next_element(std::string_view &list) {
  const std::size_t comma = list.find(',');
  const std::string_view element = trimmed(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  return element;
}

bool EtagList::names(std::string_view etag, bool strong) const {
  if (any) return true;
  if (etag.empty()) return false;
  if (std::find(tags.begin(), tags.end(), etag) != tags.end()) return true;
  return !strong && std::find(weak.begin(), weak.end(), etag) != weak.end();
}

std::optional<EtagList> parse_etags(std::string_view text) {
  EtagList list;
  text = trimmed(text);
  if (text == "*") {
    list.any = true;
    return list;
  }
  while (!text.empty()) {
    if (text.front() == ',') { // RFC 9110 section 5.6.1.2: an empty element is none
      text = trimmed(text.substr(1));
      continue;
    }
    const bool is_weak = text.starts_with("W/");
    if (is_weak) text.remove_prefix(2);
    const std::size_t end = text.starts_with('"') ? text.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return std::nullopt;
    (is_weak ? list.weak : list.tags).push_back(text.substr(1, end - 1));
    text = trimmed(text.substr(end + 1));
    if (text.empty()) break;
    if (text.front() != ',') return std::nullopt;
  }
  if (list.tags.empty() && list.weak.empty()) return std::nullopt;
  return list;
}

namespace {

/// Returns a position in a range, or nullopt if it is no number.
std::optional<std::uint64_t> position(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return number(text, 0, UINT64_MAX - 1).value_or(UINT64_MAX - 1);
}

} // namespace

std::optional<ByteRange> parse_range(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !equal_ignoring_case(trimmed(text.substr(0, equals)), "bytes")) {
    return std::nullopt;
  }
  text = trimmed(text.substr(equals + 1));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = trimmed(text.substr(0, dash)), last = trimmed(text.substr(dash + 1));
  ByteRange range;
  range.suffix = first.empty();
  if (!first.empty()) {
    const auto value = position(first);
    if (!value) return std::nullopt;
    range.first = *value;
  }
  if (last.empty()) return range.suffix ? std::nullopt : std::optional(range);
  const auto value = position(last);
  if (!value || (!range.suffix && *value < range.first)) return std::nullopt;
  range.last = *value;
  return range;
}

namespace {

/// Takes a date apart, from its front.
class DateText {
public:
  explicit DateText(std::string_view text) : rest_(text) {}

  bool skip(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  bool digits(std::size_t count, int &into) {
    if (rest_.size() < count) return false;
    into = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return false;
      into = into * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  /// One of these; its place among them.
  template <std::size_t Count>
  bool one_of(const std::string_view (&names)[Count], int &into) {
    for (into = 0; into < static_cast<int>(Count); ++into)
      if (skip(names[into])) return true;
    return false;
  }
  bool time(int &hour, int &minute, int &second) {
    return digits(2, hour) && skip(":") && digits(2, minute) && skip(":") && digits(2, second);
  }
  bool at_end() const { return rest_.empty(); }

private:
  std::string_view rest_;
};

constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view long_days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct DateParts {
  int weekday = 0, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

bool read_fixed(DateText text, DateParts &to) {
  return text.one_of(days, to.weekday) && text.skip(", ") && text.digits(2, to.day) && text.skip(" ") &&
         text.one_of(months, to.month) && text.skip(" ") && text.digits(4, to.year) && text.skip(" ") &&
         text.time(to.hour, to.minute, to.second) && text.skip(" GMT") && text.at_end();
}

bool read_rfc850(DateText text, DateParts &to) {
  const bool read = text.one_of(long_days, to.weekday) && text.skip(", ") && text.digits(2, to.day) && text.skip("-") &&
                    text.one_of(months, to.month) && text.skip("-") && text.digits(2, to.year) && text.skip(" ") &&
                    text.time(to.hour, to.minute, to.second) && text.skip(" GMT") && text.at_end();
  // A year that seems to be more than 50 years ahead is one of the last century.
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const int now = static_cast<int>(std::chrono::year_month_day(today).year());
  to.year += now / 100 * 100;
  if (to.year > now + 50) to.year -= 100;
  return read;
}

bool read_asctime(DateText text, DateParts &to) {
  return text.one_of(days, to.weekday) && text.skip(" ") && text.one_of(months, to.month) && text.skip(" ") &&
         (text.skip(" ") ? text.digits(1, to.day) : text.digits(2, to.day)) && text.skip(" ") &&
         text.time(to.hour, to.minute, to.second) && text.skip(" ") && text.digits(4, to.year) && text.at_end();
}

} // namespace

std::optional<std::int64_t> parse_date(std::string_view text) {
  using namespace std::chrono;
  const DateText date(trimmed(text));
  DateParts parts;
  if (!read_fixed(date, parts) && !read_rfc850(date, parts) && !read_asctime(date, parts)) return std::nullopt;
  const year_month_day day{year(parts.year), month(static_cast<unsigned>(parts.month + 1)),
                           std::chrono::day(static_cast<unsigned>(parts.day))};
  if (!day.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt; // 60: a leap second
  return sys_seconds(sys_days(day)).time_since_epoch().count() + parts.hour * 3600 + parts.minute * 60 + parts.second;
}

} // namespace omnistore::http
