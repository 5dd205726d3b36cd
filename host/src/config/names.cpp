// SPDX-License-Identifier: Apache-2.0
#include "names.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/ascii.hpp"
#include "base/utf8.hpp"
#include "schema.hpp"

namespace omnistore::config {

namespace {

constexpr std::size_t max_key = 4096;

bool continues(char c) { return (c & 0xC0) == 0x80; }

using base::lower;

/// Insertions, removals, replacements and swaps of neighbours that make one of the other; capitals are small letters.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

} // namespace

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t size = base::utf8_length(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return !continues(c); }));
}

std::string normalise(std::string_view name, std::string &problem) {
  std::string out;
  for (char c : name) {
    if (c == '/' || c == '\\') c = ':';
    if (c != ':' || (!out.empty() && out.back() != ':')) out += c;
  }
  if (!out.empty() && out.back() == ':') out.pop_back();

  if (name.find('?') != std::string_view::npos) problem = "'?' cannot be in it: keys are cut there";
  if (name.find('\0') != std::string_view::npos) problem = "a NUL cannot be in it";
  if (!valid_utf8(name)) problem = "it is not valid UTF-8";
  if (out.size() > max_key) problem = "it is longer than " + std::to_string(max_key) + " bytes";
  std::string framed = ":" + out + ":";
  if (framed.find(":.:") != std::string::npos || framed.find(":..:") != std::string::npos)
    problem = "a part of it is '.' or '..'";
  return out;
}

std::string without_passwords(std::string_view text) {
  std::string out;
  for (;;) {
    auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, scheme + 3));
    text.remove_prefix(scheme + 3);
    std::string_view url = text.substr(0, text.find_first_of(" \t\r\n\"'"));
    std::string_view authority = url.substr(0, url.find_first_of("/?#"));
    auto colon = authority.find(':');
    if (colon == std::string_view::npos) continue;
    // What follows the colon is a port, or a password; one with an unescaped '/', '?' or '#' ends at a later '@'.
    auto at = authority.rfind('@');
    bool port =
        authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos || authority.front() == '[';
    if (at == std::string_view::npos && !port) at = url.rfind('@');
    if (at == std::string_view::npos || at < colon) continue;
    out.append(text.substr(0, colon + 1)).append("***");
    text.remove_prefix(at);
  }
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 60;
  std::string safe = without_passwords(text), out = "\"";
  for (std::size_t i = 0; i < safe.size(); ++i) {
    if (i >= longest && !continues(safe[i])) return out + "...\"";
    out += static_cast<unsigned char>(safe[i]) < 0x20 ? ' ' : safe[i];
  }
  return out + "\"";
}

std::string nearest(std::string_view name, const std::vector<std::string> &known) {
  std::string best;
  std::size_t least = SIZE_MAX;
  for (const auto &candidate : known) {
    std::size_t shorter = std::min(name.size(), candidate.size());
    std::size_t longer = std::max(name.size(), candidate.size());
    std::size_t allowed = std::max<std::size_t>(1, longer / 3);
    if (longer - shorter > allowed) continue; // also keeps names of any length cheap
    std::size_t steps = distance(name, candidate);
    if (steps <= allowed && steps < longer && steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}

} // namespace omnistore::config
