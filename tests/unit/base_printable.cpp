// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "base/printable.hpp"

using omnistore::base::printable;
using omnistore::base::printable_json;
using omnistore::base::printable_lines;

TEST_CASE("Plain text and letters of any language stay as they are") {
  for (const char *text :
       {"", "user:1 {\"a\": 1}", "\xc3\xa9t\xc3\xa9 \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe6\xbc\xa2 \xf0\x9f\x98\x80",
        "a\\nb"}) {
    CHECK(printable(text) == text);
    CHECK(printable_lines(text) == text);
  }
}

TEST_CASE("Control characters become escapes") {
  CHECK(printable("a\nb\rc\td") == "a\\nb\\rc\\td");
  CHECK(printable(std::string("\x1b[31m\x7f\0", 7)) == "\\x1b[31m\\x7f\\x00");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\u{009b}31m"); // C1: some terminals take it for ESC [
}

TEST_CASE("Line separators, bidirectional controls and byte order marks become escapes") {
  CHECK(printable("\xe2\x80\xa8") == "\\u{2028}");
  CHECK(printable("\xe2\x80\xa9") == "\\u{2029}");
  CHECK(printable("\xe2\x80\xaegpj.exe") == "\\u{202e}gpj.exe");
  CHECK(printable("\xe2\x81\xa6\xe2\x81\xa9") == "\\u{2066}\\u{2069}");
  CHECK(printable("\xe2\x80\x8e\xd8\x9c") == "\\u{200e}\\u{061c}");
  CHECK(printable("\xef\xbb\xbf") == "\\u{feff}");
}

TEST_CASE("Unseen characters become escapes") {
  CHECK(printable("a\xe2\x80\x8b\xe2\x81\xa0") == "a\\u{200b}\\u{2060}"); // without width
  CHECK(printable("\xef\xbf\xb9") == "\\u{fff9}");                        // annotations
  CHECK(printable("\xf3\xa0\x81\xa1") == "\\u{0e0061}");                  // tags
}

TEST_CASE("Bytes that are no UTF-8 become escapes") {
  CHECK(printable("a\xff\xc3(") == "a\\xff\\xc3(");
  CHECK(printable("\x9b"
                  "2J") == "\\x9b2J");                   // C1 as one byte
  CHECK(printable("\xc0\x8a") == "\\xc0\\x8a");          // an overlong line end
  CHECK(printable("a\xc3") == "a\\xc3");                 // cut
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80"); // half of a pair
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

TEST_CASE("Escaping an escaped text changes nothing") {
  const std::string once = printable("a\n\x1b\xff\xe2\x80\xae");
  CHECK(printable(once) == once);
}

TEST_CASE("A message of several lines keeps them, and none can be taken for a line of its own") {
  CHECK(printable_lines("wrong:\n  mounts.a\n  mounts.b") == "wrong:\n  mounts.a\n  mounts.b");
  CHECK(printable_lines("k\n2026-11-28T00:00:00.000Z error forged\x1b[31m") ==
        "k\n  2026-11-28T00:00:00.000Z error forged\\x1b[31m");
  CHECK(printable_lines("a\r\n") == "a\\r\n");
}

TEST_CASE("JSON keeps its meaning and loses characters that act on a terminal") {
  CHECK(printable_json("{\"a\":\"\\n\xc3\xa9\"}\n") == "{\"a\":\"\\n\xc3\xa9\"}\n");
  CHECK(printable_json("\"\x7f\xc2\x9b\xe2\x80\xae\"") == "\"\\u007f\\u009b\\u202e\"");
  CHECK(printable_json("\"\xf3\xa0\x81\xa1\"") == "\"\\udb40\\udc61\"");
}
