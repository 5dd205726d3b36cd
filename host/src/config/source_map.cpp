// SPDX-License-Identifier: Apache-2.0
#include "source_map.hpp"

namespace omnistore {

namespace {

/// Removes the last name of a path: `a.b."c.d"` becomes "a.b". Returns false if nothing is left.
bool shorten(std::string &path) {
  if (path.empty()) return false;
  std::size_t end = path.size();
  if (path.back() == '"') { // join() escapes quotes inside with a backslash
    end = path.size() - 1;
    do end = end == 0 ? std::string::npos : path.rfind('"', end - 1);
    while (end != std::string::npos && end > 0 && path[end - 1] == '\\');
    if (end == std::string::npos) end = 0;
  }
  auto dot = end == 0 ? std::string::npos : path.rfind('.', end - 1);
  path.resize(dot == std::string::npos ? 0 : dot);
  return true;
}

} // namespace

SourceMap::Both SourceMap::lookup(std::string path) const {
  do {
    if (auto found = places_.find(path); found != places_.end()) return found->second;
  } while (shorten(path));
  return {};
}

const std::string *SourceMap::written(const std::string &path) const {
  const auto found = written_.find(path);
  return found == written_.end() ? nullptr : &found->second;
}

SourceMap::Position SourceMap::find(std::string path) const { return lookup(std::move(path)).value; }
SourceMap::Position SourceMap::name(std::string path) const { return lookup(std::move(path)).name; }

namespace config {

std::string join(std::string_view path, std::string_view name) {
  bool plain = !name.empty() && name.back() != ':' && name.find_first_of(". \t\"\\") == std::string_view::npos;
  std::string out(path);
  if (!out.empty()) out += '.';
  if (plain) return out.append(name);
  out += '"';
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

std::string join(std::string_view path, std::size_t index) { return join(path, std::to_string(index)); }

} // namespace config
} // namespace omnistore
