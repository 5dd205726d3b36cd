// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "http/header_values.hpp"

using namespace omnistore::http;

TEST_CASE("a list of etags names those in it, weak ones only to a weak comparison") {
  const auto list = parse_etags("\"a\" , W/\"b\",\"c,d\"");
  REQUIRE(list);
  CHECK(list->names("a", true));
  CHECK(list->names("c,d", true));
  CHECK(list->names("b", false));
  CHECK_FALSE(list->names("b", true));
  CHECK_FALSE(list->names("", false));
  CHECK(parse_etags("*")->names("x", true));
  CHECK(parse_etags(", \"a\",,\"b\" ,")->tags.size() == 2);
}

TEST_CASE("a text that is no list of etags is none") {
  for (const char *wrong : {"", "a", "\"a", "\"a\"\"b\"", "\"a\", b", "W/a", "*, \"a\"", ","}) {
    INFO(wrong);
    CHECK_FALSE(parse_etags(wrong));
  }
}

TEST_CASE("a range has both ends, one, or counts from the end") {
  CHECK(parse_range("bytes=1-2")->first == 1);
  CHECK(parse_range("bytes=1-2")->last == 2);
  CHECK(parse_range("Bytes = 1-")->last == UINT64_MAX);
  CHECK(parse_range("bytes=-5")->suffix);
  for (const char *wrong : {"", "bytes", "bytes=", "bytes=-", "bytes=2-1", "bytes=1-2,4-5", "bytes=x-", "items=1-2",
                            "bytes=1-x", "bytes=1--2", "bytes=+1-2", "bytes=1-2;", "bytes=0x1-"}) {
    INFO(wrong);
    CHECK_FALSE(parse_range(wrong));
  }
}

TEST_CASE("a range's numbers may be of any length") {
  const std::string huge(40, '9');
  CHECK(parse_range("bytes=1-" + huge)->last == UINT64_MAX - 1);
  CHECK(parse_range("bytes=" + huge + "-")->first == UINT64_MAX - 1);
  CHECK(parse_range("bytes=-" + huge)->last == UINT64_MAX - 1);
  CHECK(parse_range("bytes=1-18446744073709551615")->last == UINT64_MAX - 1);
  CHECK_FALSE(parse_range("bytes=" + huge + "-1"));
}

TEST_CASE("a date has one of the three forms that HTTP has had") {
  CHECK(parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse_date("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse_date("Wed Nov 16 08:49:37 1994") == 784975777);
  CHECK(parse_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800); // a leap second
  for (const char *wrong :
       {"", "0", "784111777", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "\"etag\"", "1994-11-06T08:49:37Z"}) {
    INFO(wrong);
    CHECK_FALSE(parse_date(wrong));
  }
}
