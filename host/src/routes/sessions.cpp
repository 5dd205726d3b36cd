// SPDX-License-Identifier: Apache-2.0
#include "routes/sessions.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <omnistore/error.hpp>
#include <sys/random.h>

#include "base/ascii.hpp"
#include "base/encoding.hpp"

namespace omnistore::routes {

namespace {

/// Makes room for one more by removing the oldest.
template <class Map, class Age>
void make_room(Map &map, std::size_t most, const Age &age) {
  if (map.size() < most) return;
  map.erase(std::min_element(map.begin(), map.end(), [&](const auto &a, const auto &b) { return age(a) < age(b); }));
}

} // namespace

std::string random_id() {
  std::array<char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Error(Status::unavailable, "the system gives no random numbers");
  return base::to_hex({bytes.data(), bytes.size()});
}

std::string_view cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    const std::string_view pair = base::trimmed(header.substr(0, end));
    header.remove_prefix(std::min(end + 1, header.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

std::string Sessions::make_code(Clock::time_point now) {
  std::string code = random_id();
  const std::lock_guard lock(mutex_);
  make_room(codes_, most_codes, [](const auto &entry) { return entry.second; });
  codes_.emplace(code, now);
  return code;
}

bool Sessions::redeem(const std::string &code, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = codes_.find(code);
  if (found == codes_.end()) return false;
  const bool is_valid = now - found->second <= code_life;
  codes_.erase(found);
  return is_valid;
}

std::string Sessions::open(std::string authorization, Clock::time_point now) {
  std::string id = random_id();
  const std::lock_guard lock(mutex_);
  make_room(sessions_, most_sessions, [](const auto &entry) { return entry.second.used; });
  sessions_.emplace(id, Session{std::move(authorization), now});
  return id;
}

std::optional<std::string> Sessions::find(const std::string &id, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return std::nullopt;
  if (now - found->second.used > session_life) {
    sessions_.erase(found);
    return std::nullopt;
  }
  found->second.used = now;
  return found->second.authorization;
}

void Sessions::close(const std::string &id) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(id);
}

} // namespace omnistore::routes
