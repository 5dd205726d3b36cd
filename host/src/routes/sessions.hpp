// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace omnistore::routes {

/// The browsers that are logged in to the page of the admin listener. A session stands for an Authorization header that
/// the browser itself does not hold. Thread-safe.
class Sessions {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t most_sessions = 64, most_codes = 16; ///< the oldest one goes when a further one comes
  static constexpr std::chrono::minutes code_life{10};
  static constexpr std::chrono::hours session_life{12}; ///< without a request

  /// Returns a code that opens one session, once, within ten minutes.
  std::string make_code(Clock::time_point now = Clock::now());
  /// Takes a code. Returns false if it is unknown, used or too old.
  bool redeem(const std::string &code, Clock::time_point now = Clock::now());

  /// Opens a session and returns its id. `authorization` is what its requests have as that header; it may be empty.
  std::string open(std::string authorization, Clock::time_point now = Clock::now());
  /// Returns the session's authorization, or nullopt if there is no such session.
  std::optional<std::string> find(const std::string &id, Clock::time_point now = Clock::now());
  void close(const std::string &id);

private:
  struct Session {
    std::string authorization;
    Clock::time_point used;
  };
  std::mutex mutex_;
  std::map<std::string, Clock::time_point> codes_; ///< with the time that each was made
  std::map<std::string, Session> sessions_;
};

/// Returns 128 random bits in hexadecimal digits. Throws Error(unavailable) if the system has none.
std::string random_id();

/// Returns the value of a cookie in a Cookie header; empty if it is not there.
std::string_view cookie_value(std::string_view header, std::string_view name);

} // namespace omnistore::routes
