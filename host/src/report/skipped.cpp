// SPDX-License-Identifier: Apache-2.0
#include "report/skipped.hpp"

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

} // namespace omnistore::report
