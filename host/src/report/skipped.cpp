// SPDX-License-Identifier: Apache-2.0
#include "report/skipped.hpp"

#include <utility>

#include "base/encoding.hpp"

namespace omnistore::report {
namespace {

constexpr std::size_t most_text = 4000, most_message = 400, most_base = 1500;

/// Percent-encodes everything but letters, digits and a few marks. A longer text is cut.
std::string encoded(std::string_view text, std::size_t most) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/()";
  std::string out;
  for (const char c : text) {
    if (out.size() > most) return out + "...";
    if (plain.find(c) != plain.npos) {
      out += c;
    } else {
      base::append_percent(out, c);
    }
  }
  return out;
}

std::string item_of(const Skipped &place) {
  return encoded(place.base, most_base) + ';' + std::string(status_name(place.status)) + ';' +
         encoded(place.message, most_message);
}

Status status_named(std::string_view name) {
  for (std::int32_t value = 10; value <= static_cast<std::int32_t>(Status::internal); value += 10)
    if (status_name(static_cast<Status>(value)) == name) return static_cast<Status>(value);
  return Status::io;
}

} // namespace

std::string skipped_text(const std::vector<Skipped> &places) {
  std::string text;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::string item = item_of(places[i]);
    const bool fits = text.size() + item.size() <= most_text;
    if (!fits) item = item_of({"", places[i].status, std::to_string(places.size() - i) + " more"});
    if (!text.empty()) text += ", ";
    text += item;
    if (!fits) break;
  }
  return text;
}

std::vector<Skipped> read_skipped(std::string_view text) {
  std::vector<Skipped> places;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item.empty()) continue;
    const std::size_t first = item.find(';'), second = first == item.npos ? item.npos : item.find(';', first + 1);
    if (second == item.npos) {
      places.push_back({"", Status::io, base::percent_decoded(item)});
      continue;
    }
    places.push_back({base::percent_decoded(item.substr(0, first)),
                      status_named(item.substr(first + 1, second - first - 1)),
                      base::percent_decoded(item.substr(second + 1))});
  }
  return places;
}

} // namespace omnistore::report
