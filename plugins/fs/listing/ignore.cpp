// SPDX-License-Identifier: Apache-2.0
#include "listing/ignore.hpp"

#include <algorithm>

#include <omnistore/driver.h>
#include <omnistore/failure.hpp>

namespace fs {

namespace {

[[noreturn]] void refuse_pattern(std::string_view pattern, const char *why) {
  throw omnistore::Failure(OMNISTORE_INVALID, "option ignore: the pattern \"" + std::string(pattern) + "\" " + why);
}

/// Adds one pattern for each choice of the braces.
void expand(std::string_view pattern, std::vector<std::string> &out) {
  const std::size_t open = pattern.find('{');
  if (open == pattern.npos) return out.emplace_back(pattern), void();
  const std::size_t close = pattern.find('}', open);
  const std::string_view choices = close == pattern.npos ? "" : pattern.substr(open + 1, close - open - 1);
  if (choices.find('{') != choices.npos) refuse_pattern(pattern, "nests braces, which is not supported");
  if (close == pattern.npos) refuse_pattern(pattern, "has a { without a }");
  for (std::size_t at = 0;;) {
    const std::size_t comma = std::min(choices.find(',', at), choices.size());
    std::string one(pattern.substr(0, open));
    one.append(choices.substr(at, comma - at)).append(pattern.substr(close + 1));
    if (out.size() > 1000) refuse_pattern(pattern, "stands for more than 1000 patterns");
    expand(one, out);
    if (comma == choices.size()) return;
    at = comma + 1;
  }
}

/// Returns NAME of a pattern `**/NAME/**`; empty for other patterns.
std::string_view plain_name(std::string_view pattern) {
  if (!pattern.starts_with("**/") || !pattern.ends_with("/**") || pattern.size() < 7) return {};
  const std::string_view name = pattern.substr(3, pattern.size() - 6);
  return name.find_first_of("/*?[") == name.npos ? name : std::string_view();
}

/// Returns true if the set `[...]` at the start of the pattern contains the byte, and removes the set from the pattern.
/// A set without its end is a plain '['.
bool set_holds(std::string_view &pattern, char c) {
  const std::size_t negated = pattern.size() > 1 && (pattern[1] == '!' || pattern[1] == '^') ? 1 : 0;
  const std::size_t end = pattern.find(']', negated + 2);
  if (end == pattern.npos) {
    pattern.remove_prefix(1);
    return c == '[';
  }
  bool holds = false;
  for (std::size_t i = negated + 1; i < end; ++i) {
    const bool range = i + 2 < end && pattern[i + 1] == '-';
    if (range ? pattern[i] <= c && c <= pattern[i + 2] : pattern[i] == c) holds = true;
    if (range) i += 2;
  }
  pattern.remove_prefix(end + 1);
  return holds != (negated == 1);
}

bool segment_matches(std::string_view pattern, std::string_view name) {
  // Backtracking to the last star is enough: the part before it has matched as early as it can.
  std::string_view star_pattern, star_name;
  bool star = false;
  while (!name.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      star_pattern = pattern, star_name = name, star = true;
      continue;
    }
    if (!pattern.empty() && !name.empty()) {
      std::string_view rest = pattern.substr(1);
      bool fits = pattern[0] == '?' || pattern[0] == name[0];
      if (pattern[0] == '[') fits = set_holds(rest = pattern, name[0]);
      if (fits) {
        pattern = rest;
        name.remove_prefix(1);
        continue;
      }
    }
    if (!star || star_name.empty()) return false;
    star_name.remove_prefix(1);
    pattern = star_pattern, name = star_name;
  }
  return true;
}

std::string_view take_segment(std::string_view &path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return segment;
}

} // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  std::string_view back_pattern, back_path; // the pattern after the last `**`, and the path that it is tried on
  bool back = false;
  for (;;) {
    std::string_view rest_pattern = pattern, rest_path = path;
    const std::string_view part = take_segment(rest_pattern);
    if (!pattern.empty() && part == "**") {
      if (rest_pattern.empty()) return true;
      pattern = back_pattern = rest_pattern, back_path = path, back = true;
      continue;
    }
    if (pattern.empty() && path.empty()) return true;
    if (!pattern.empty() && !path.empty() && segment_matches(part, take_segment(rest_path))) {
      pattern = rest_pattern, path = rest_path;
      continue;
    }
    if (!back || back_path.empty()) return false;
    take_segment(back_path);
    pattern = back_pattern, path = back_path;
  }
}

Ignore::Ignore(const std::vector<std::string> &patterns) {
  std::vector<std::string> all;
  for (const std::string &pattern : patterns) {
    if (pattern.starts_with('!')) refuse_pattern(pattern, "begins with !, which is not supported");
    expand(pattern, all);
  }
  for (const std::string &pattern : all) {
    const std::string_view name = plain_name(pattern);
    if (name.empty())
      patterns_.push_back(pattern);
    else
      names_.emplace_back(name);
  }
}

bool Ignore::name_matches(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool Ignore::path(std::string_view folder, std::string_view name, bool is_file) const {
  if (patterns_.empty()) return false;
  std::string whole(folder);
  if (!whole.empty()) whole += '/';
  whole += name;
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string &pattern) {
    const bool by_name = is_file || pattern.find('/') == pattern.npos;
    return glob_matches(pattern, whole) || (by_name && glob_matches(pattern, name));
  });
}

bool Ignore::branch(std::string_view path) const {
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (folder(start ? path.substr(0, start - 1) : "", path.substr(start, end - start))) return true;
    start = end + 1;
  }
  return false;
}

} // namespace fs
