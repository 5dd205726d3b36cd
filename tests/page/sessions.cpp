// SPDX-License-Identifier: Apache-2.0
// The browsers that are logged in to the page.
#include <catch2/catch.hpp>

#include <chrono>
#include <cstddef>
#include <string>

#include "routes/sessions.hpp"

using omnistore::routes::cookie_value;
using omnistore::routes::Sessions;

TEST_CASE("a code logs in once") {
  Sessions sessions;
  const std::string code = sessions.make_code();
  CHECK(sessions.redeem(code));
  CHECK_FALSE(sessions.redeem(code));
  CHECK_FALSE(sessions.redeem("guess"));
}

TEST_CASE("a code is of no use after ten minutes") {
  Sessions sessions;
  const auto now = Sessions::Clock::now();
  const std::string code = sessions.make_code(now);
  CHECK_FALSE(sessions.redeem(code, now + Sessions::code_life + std::chrono::seconds(1)));
}

TEST_CASE("a session has its authorization until it is closed or idle for too long") {
  Sessions sessions;
  const auto now = Sessions::Clock::now();
  const std::string id = sessions.open("Bearer a", now), other = sessions.open("", now);
  CHECK(sessions.find(id, now) == "Bearer a");
  CHECK(sessions.find(other, now) == "");
  sessions.close(id);
  CHECK_FALSE(sessions.find(id, now));
  CHECK(sessions.find(other, now + Sessions::session_life));
  CHECK_FALSE(sessions.find(other, now + 3 * Sessions::session_life));
}

TEST_CASE("further sessions and codes push out the oldest ones") {
  Sessions sessions;
  auto now = Sessions::Clock::now();
  const std::string first = sessions.open("Bearer a", now), code = sessions.make_code(now);
  for (std::size_t i = 0; i < Sessions::most_sessions; ++i) sessions.open("", now += std::chrono::seconds(1));
  for (std::size_t i = 0; i < Sessions::most_codes; ++i) sessions.make_code(now += std::chrono::seconds(1));
  CHECK_FALSE(sessions.find(first, now));
  CHECK_FALSE(sessions.redeem(code, now));
}

TEST_CASE("a cookie is found among others by its whole name") {
  CHECK(cookie_value("a=1; omnistore_7701=abc; b=2", "omnistore_7701") == "abc");
  CHECK(cookie_value("omnistore_7701=abc", "omnistore_7701") == "abc");
  CHECK(cookie_value("xomnistore_7701=abc; omnistore_77011=d", "omnistore_7701").empty());
  CHECK(cookie_value("", "omnistore_7701").empty());
}
