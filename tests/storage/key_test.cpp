// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "storage/cursor.hpp"
#include "storage/key.hpp"

using omnistore::Key;
using omnistore::Status;

namespace {
std::string normal(std::string_view text) { return std::string(Key(text).view()); }
Status refusal(std::string_view text) {
  return test::status_of([&] { Key key(text); });
}
} // namespace

TEST_CASE("slashes and backslashes become colons, and runs of them collapse") {
  CHECK(normal("a/b\\c") == "a:b:c");
  CHECK(normal("a:::b//c\\\\d:/e") == "a:b:c:d:e");
}

TEST_CASE("separators at either end of a key go") {
  CHECK(normal(":a:b:") == "a:b");
  CHECK(normal("/a/b//") == "a:b");
}

TEST_CASE("a question mark and the text after it are cut") {
  CHECK(normal("a:b?x=1:2") == "a:b");
  CHECK(normal("a:?b") == "a");
}

TEST_CASE("a key in normal form is not copied") {
  const std::string text = "user:1:na.me.$";
  CHECK(Key(text).view().data() == text.data());
}

TEST_CASE("keys may be any UTF-8") {
  for (const char *text : {"grüße:welt", "日本:語", "emoji:😀", "space in it", "%41:\x01"}) CHECK(normal(text) == text);
}

TEST_CASE("a text that cannot be a key is refused as invalid") {
  for (const char *text : {"", ":", "//", "?", "a:.:b", "a:..", "..", ".", "../a", "a/../b", "\xff", "a\xc0\x80",
                           "\xed\xa0\x80", "\xf5\x80\x80\x80", "a:\xe2\x82"})
    CHECK(refusal(text) == Status::invalid);
  CHECK(refusal(std::string_view("a\0b", 3)) == Status::invalid);
  CHECK(refusal(std::string(4097, 'a')) == Status::too_large);
  CHECK(refusal(std::string(4096, 'a') + "$") == Status::ok); // that value's user meta
  CHECK(refusal(std::string(4097, 'a') + "$") == Status::too_large);
  CHECK(refusal(std::string(4096, 'a')) == Status::ok);
}

TEST_CASE("dots inside a segment are no refusal") {
  for (const char *text : {"a.b", "...", "a:.b", "a:b.", "..a", "a:..."}) CHECK(refusal(text) == Status::ok);
}

TEST_CASE("a key that is only too long before it is normalised is fine") {
  CHECK(normal(std::string(5000, '/') + "a") == "a");
}

TEST_CASE("a base is a key and a colon, or empty") {
  CHECK(omnistore::normal_base("") == "");
  CHECK(omnistore::normal_base("/") == "");
  CHECK(omnistore::normal_base("a/b:") == "a:b:");
  CHECK(test::status_of([] { omnistore::normal_base("a/.."); }) == Status::invalid);
}

TEST_CASE("a cursor is URL-safe and comes back as it was") {
  for (const std::string &driver :
       std::vector<std::string>{std::string(), std::string("k"), std::string("\0\xff:x", 4), std::string(300, 'z')}) {
    const std::string text = omnistore::Cursor{"a:b", 0xFE000001, driver}.text();
    CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == text.npos);
    const auto cursor = omnistore::Cursor::parse(text);
    CHECK(cursor.mountpoint == "a:b");
    CHECK(cursor.store == 0xFE000001);
    CHECK(cursor.driver == driver);
  }
}

TEST_CASE("a text that is no cursor is refused as invalid") {
  for (const char *text : {"x", "!!", "AAAA", "äö", "MQ", "MmEAAAAA"})
    CHECK(test::status_of([&] { omnistore::Cursor::parse(text); }) == Status::invalid);
}
