// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <string>

#include "jobs/preview.hpp"

using omnistore::jobs::Preview;
using omnistore::jobs::preview_bytes;
using omnistore::jobs::preview_of;
using namespace std::string_literals;

namespace {

Preview whole(const std::string &value, std::size_t characters = 50) {
  return preview_of(value, value.size(), characters);
}

/// Returns the preview if only the beginning of a value was read.
Preview begun(const std::string &value, std::size_t characters = 50) {
  return preview_of(std::string_view(value).substr(0, preview_bytes(characters)), value.size(), characters);
}

} // namespace

TEST_CASE("JSON is shown as JSON, without the spaces between its words") {
  const Preview preview = whole("{ \"a b\" : [1,\n  2],\t\"c\\\" d\": null }\n");
  CHECK(preview.kind == Preview::Kind::json);
  CHECK(preview.text == "{\"a b\":[1,2],\"c\\\" d\":null}");
  CHECK_FALSE(preview.cut);
}

TEST_CASE("a text that only begins as JSON is text") {
  CHECK(whole("{ \"a\": }").kind == Preview::Kind::text);
  CHECK(whole("[note] read me").kind == Preview::Kind::text);
  CHECK(whole("[1, 2").kind == Preview::Kind::text);
  CHECK(whole("42").kind == Preview::Kind::text);
}

TEST_CASE("long JSON is known by its beginning") {
  std::string json = "[";
  for (int i = 0; i < 2000; ++i) json += "\"\xc3\xab\", ";
  const Preview preview = begun(json + "0]", 7);
  CHECK(preview.kind == Preview::Kind::json);
  CHECK(preview.text == "[\"\xc3\xab\",\"\xc3\xab");
  CHECK(preview.cut);
}

TEST_CASE("JSON with escapes inside its strings sends none to the terminal") {
  CHECK(whole("[\"\\u001b[31m\"]").text == "[\"\\u001b[31m\"]");
  CHECK(whole("[\"\xe2\x80\xae\"]").text == "[\"\\u{202e}\"]");
}

TEST_CASE("text is cut at so many characters, not bytes") {
  const Preview preview = whole("\xc3\xab\xc3\xab\xc3\xab\xc3\xab", 3);
  CHECK(preview.kind == Preview::Kind::text);
  CHECK(preview.text == "\xc3\xab\xc3\xab\xc3\xab");
  CHECK(preview.cut);
  CHECK_FALSE(whole("abc", 3).cut);
  CHECK(whole("ab\x1b", 3).text == "ab"); // an escape has no room
}

TEST_CASE("a character that was cut in two at the end of the read does not make text bytes") {
  std::string text(preview_bytes(50) - 1, 'a');
  text += "\xe6\x97\xa5 and on";
  CHECK(begun(text).kind == Preview::Kind::text);
  CHECK(whole(std::string(20, 'a') + "\xe6\x97").kind == Preview::Kind::bytes); // that is all of it
}

TEST_CASE("bytes are shown as hex") {
  const Preview preview = whole("\x00\xff\n\x13"s, 50);
  CHECK(preview.kind == Preview::Kind::bytes);
  CHECK(preview.text == "00 ff 0a 13");
  CHECK_FALSE(preview.cut);
  const Preview cut = whole(std::string(100, '\0'), 8);
  CHECK(cut.text == "00 00 00");
  CHECK(cut.cut);
}

TEST_CASE("an empty value has an empty preview") {
  CHECK(whole("").text.empty());
  CHECK_FALSE(whole("").cut);
}
