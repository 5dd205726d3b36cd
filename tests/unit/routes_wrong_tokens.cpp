// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "routes/wrong_tokens.hpp"

using omnistore::routes::WrongTokens;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const auto here = boost::asio::ip::make_address("127.0.0.1");
const WrongTokens::Clock::time_point start{std::chrono::hours(1)};

} // namespace

TEST_CASE("wrong tokens from one address wait longer and longer, up to a bound") {
  WrongTokens wrong("admin", 64);
  for (int i = 0; i < 10; ++i) CHECK_FALSE(wrong.add(here, start).slowed);
  CHECK(wrong.add(here, start).delay == milliseconds(250));
  CHECK(wrong.add(here, start).delay == milliseconds(500));
  for (int i = 0; i < 40; ++i) CHECK(wrong.add(here, start).delay <= milliseconds(5000));
  CHECK(wrong.add(here, start).delay == milliseconds(5000));
  CHECK(wrong.count() == 53);
}

TEST_CASE("a minute without a wrong token forgives") {
  WrongTokens wrong("admin", 64);
  for (int i = 0; i < 30; ++i) wrong.add(here, start);
  CHECK_FALSE(wrong.add(here, start + seconds(61)).slowed);
}

TEST_CASE("wrong tokens from elsewhere are counted apart, those of one network of IPv6 together") {
  WrongTokens wrong("admin", 64);
  for (int i = 0; i < 10; ++i) {
    const std::string host = "2001:db8::" + std::to_string(i + 1);
    CHECK_FALSE(wrong.add(boost::asio::ip::make_address(host), start).slowed);
  }
  CHECK(wrong.add(boost::asio::ip::make_address("2001:db8::ffff"), start).slowed);
  CHECK_FALSE(wrong.add(here, start).slowed);
}

TEST_CASE("at most a fixed number of responses is held back at once") {
  WrongTokens wrong("admin", 2);
  for (int i = 0; i < 12; ++i) wrong.add(here, start);
  const WrongTokens::Penalty over = wrong.add(here, start);
  CHECK(over.slowed);
  CHECK(over.delay == milliseconds(0));
  CHECK(wrong.add(here, start + milliseconds(501)).delay > milliseconds(0));
}
