// SPDX-License-Identifier: Apache-2.0
#include "formats.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <span>
#include <utility>

#include "base/ascii.hpp"
#include "base/authority.hpp"
#include "names.hpp"

namespace omnistore::config {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit durations[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit ages[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr std::int64_t kib = 1024;
constexpr Unit sizes[] = {{"", 1},
                          {"b", 1},
                          {"kb", 1000},
                          {"mb", 1'000'000},
                          {"gb", 1'000'000'000},
                          {"tb", 1'000'000'000'000},
                          {"kib", kib},
                          {"mib", kib *kib},
                          {"gib", kib *kib *kib},
                          {"tib", kib *kib *kib *kib}};

enum class Quantity { good, malformed, too_large };

/// Reads digits, an optional fraction, an optional space and a unit. The product must be a whole number of at most
/// max_quantity. With `rounds`, it may be a fraction, which is rounded but never to 0.
Quantity read_quantity(std::string_view text, std::span<const Unit> units, std::int64_t &into, bool rounds = false) {
  auto digits = [&] {
    auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    std::string_view out = text.substr(0, end);
    text.remove_prefix(end);
    return out;
  };
  std::string_view whole = digits(), fraction;
  if (whole.empty()) return Quantity::malformed;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
    if (fraction.empty() || (fraction.size() > 6 && !rounds)) return Quantity::malformed;
  }
  if (text.starts_with(' ')) text.remove_prefix(1);
  auto unit = std::find_if(units.begin(), units.end(), [&](const Unit &u) { return u.name == text; });
  if (unit == units.end()) return Quantity::malformed;

  std::int64_t count = 0;
  const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), count);
  if (read.ec != std::errc() || count > max_quantity / unit->factor) return Quantity::too_large;
  std::int64_t total = count * unit->factor;
  if (!fraction.empty()) { // at most six digits times at most a TiB: no overflow
    std::int64_t numerator = 0, denominator = 1;
    const bool is_zero = fraction.find_first_not_of('0') == fraction.npos;
    fraction = fraction.substr(0, 6);
    std::from_chars(fraction.data(), fraction.data() + fraction.size(), numerator);
    if (numerator == 0 && !is_zero) numerator = 1; // a small amount, but not 0
    for (std::size_t i = 0; i < fraction.size(); ++i) denominator *= 10;
    if (rounds)
      total = std::max<std::int64_t>(numerator == 0 ? 0 : 1,
                                     total + (numerator * unit->factor + denominator / 2) / denominator);
    else if (numerator * unit->factor % denominator != 0)
      return Quantity::malformed;
    else
      total += numerator * unit->factor / denominator;
  }
  if (total > max_quantity) return Quantity::too_large;
  into = total;
  return Quantity::good;
}

bool parse_quantity(std::string_view text, std::span<const Unit> units, std::int64_t &into) {
  return read_quantity(text, units, into) == Quantity::good;
}

constexpr const char *duration_too_long = "too long: at most 11574074d, which is 1e12 seconds";

/// Reads a duration of a config. If it is too long, returns more than the maximum, so that the message says so.
bool read_duration(std::string_view text, std::span<const Unit> units, std::int64_t &milliseconds) {
  const Quantity quantity = read_quantity(text, units, milliseconds);
  if (quantity == Quantity::too_large) milliseconds = INT64_MAX;
  return quantity != Quantity::malformed;
}

bool read_milliseconds(std::string_view text, std::int64_t &milliseconds) {
  return read_duration(text, durations, milliseconds);
}

bool read_seconds(std::string_view text, std::int64_t &milliseconds) { return read_duration(text, ages, milliseconds); }

bool check_prefix(std::string &text, std::string &problem) {
  text = normalise(text, problem);
  return problem.empty();
}

constexpr std::size_t longest_socket_path = 107; // what the system's address has room for

bool check_listen(std::string &text, std::string &problem) {
  if (text.empty()) return true;
  if (text.starts_with("unix:")) {
    if (!text.starts_with("unix:/")) problem = "after unix: comes an absolute path";
    if (text.size() - 5 > longest_socket_path)
      problem = "the path of a unix socket has at most " + std::to_string(longest_socket_path) + " bytes";
    return problem.empty() && text.find('\0') == text.npos;
  }
  const auto authority = base::parse_authority(text);
  if (authority && authority->port && (authority->kind != base::Authority::Kind::name || authority->is_loopback()))
    return true;
  const auto colon = text.rfind(':');
  const std::string_view port =
      colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size() || number > 65535)
    problem = "the port, 0 to 65535, comes after the last ':'";
  else if (colon == 0)
    problem = "0.0.0.0 means every address of this machine";
  else
    problem = "before the port comes an IP address, which is in brackets if it is IPv6, or localhost";
  return false;
}

bool check_host(std::string &text, std::string &) { return base::parse_authority(text).has_value(); }

bool check_sha256(std::string &text, std::string &) {
  constexpr std::string_view scheme = "sha256:";
  if (!text.starts_with(scheme) || text.size() != scheme.size() + 64) return false;
  for (char &c : std::span(text).subspan(scheme.size())) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

/// Refuses the forms that other programs replace by a path. Here they would be the names of folders.
bool check_path(std::string &text, std::string &problem) {
  if (text.find('\0') != std::string::npos)
    problem = "it contains a NUL";
  else if (text.starts_with("file:"))
    problem = "a path is written without file:";
  else if (text.find("://") != std::string::npos)
    problem = "it is a URL";
  else if (text == "~" || text.starts_with("~/"))
    problem = "~ is not replaced: write ${HOME}";
  return problem.empty();
}

constexpr Format formats[] = {
    {"duration", "a duration (milliseconds, or a text such as \"100ms\", \"90s\", \"5m\", \"1h\", \"7d\")",
     read_milliseconds, nullptr, 1, false, max_ttl, duration_too_long},
    {"seconds", "a duration (seconds, or a text such as \"500ms\", \"90s\", \"5m\", \"1h\", \"7d\")", read_seconds,
     nullptr, 1000, false, max_ttl, duration_too_long},
    {"bytes", "a size (bytes, or a text such as \"64KiB\", \"1MB\", \"2GiB\")", parse_bytes, nullptr},
    {"prefix", "a prefix of keys, such as app:v1", nullptr, check_prefix},
    {"listen", "address:port, such as 127.0.0.1:7700 or [::1]:7700, or unix:/path", nullptr, check_listen},
    {"host", "the name or address of a host, such as store.example or [::1]", nullptr, check_host},
    {"sha256", "\"sha256:\" and 64 hexadecimal digits", nullptr, check_sha256},
    {"path", "the path of a file or folder", nullptr, check_path, 1, true},
};

constexpr std::string_view notes[] = {
    "date-time", "date",         "time",          "email",        "hostname",      "ipv4",
    "ipv6",      "uri",          "uri-reference", "iri",          "uuid",          "json-pointer",
    "regex",     "uri-template", "idn-email",     "idn-hostname", "iri-reference", "relative-json-pointer"};

} // namespace

const Format *find_format(std::string_view name) {
  auto found = std::find_if(std::begin(formats), std::end(formats), [&](const Format &f) { return f.name == name; });
  return found == std::end(formats) ? nullptr : found;
}

std::vector<std::string> known_formats() {
  std::vector<std::string> out(std::begin(notes), std::end(notes));
  for (const Format &format : formats) out.emplace_back(format.name);
  return out;
}

std::string absolute_path(const std::string &path, const std::string &folder) {
  const std::filesystem::path start = folder.empty() ? std::filesystem::current_path() : std::filesystem::path(folder);
  return (start / path).lexically_normal().string();
}

std::string check_ttl(std::int64_t milliseconds) {
  if (milliseconds < 0) return "it cannot be negative";
  return milliseconds > max_ttl ? duration_too_long : "";
}

std::string read_ttl(std::string_view text, std::int64_t bare, std::int64_t &milliseconds) {
  std::int64_t read = 0;
  switch (read_quantity(text, bare == 1000 ? ages : durations, read, true)) {
  case Quantity::good:
    if (read <= max_ttl) return milliseconds = read, "";
    [[fallthrough]];
  case Quantity::too_large:
    return duration_too_long;
  case Quantity::malformed:
    break;
  }
  return "expected a duration such as 90s, 5m, 1h or 7d, found " + std::string(text);
}

std::string read_ttl(const boost::json::value &value, std::int64_t &milliseconds) {
  if (value.is_string()) return read_ttl(std::string_view(value.get_string()), 1, milliseconds);
  if (!value.is_number()) return "expected milliseconds, or a text such as \"5m\"";
  if (value.is_uint64() || (value.is_double() && value.get_double() > static_cast<double>(max_ttl)))
    return duration_too_long;
  if (!value.is_int64()) return "expected a whole number of milliseconds, or a text such as \"5m\"";
  milliseconds = value.get_int64();
  return check_ttl(milliseconds);
}

bool parse_duration(std::string_view text, std::int64_t &milliseconds) {
  return parse_quantity(text, durations, milliseconds);
}

std::string shown_duration(std::int64_t milliseconds) {
  constexpr std::pair<std::int64_t, const char *> units[] = {
      {86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}};
  for (const auto &[size, name] : units)
    if (milliseconds % size == 0) return std::to_string(milliseconds / size) + name;
  return std::to_string(milliseconds) + "ms";
}

std::string shown_moment(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char rest[8];
  std::snprintf(rest, sizeof rest, ".%03dZ", static_cast<int>(unix_ms % 1000));
  return std::string(text, size) + rest;
}

bool parse_bytes(std::string_view text, std::int64_t &bytes) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), base::lower);
  return parse_quantity(lower, sizes, bytes);
}

} // namespace omnistore::config
