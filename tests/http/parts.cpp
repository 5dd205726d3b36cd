// SPDX-License-Identifier: Apache-2.0
// The parts of the driver that need no server: etags, heads, urls.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "answer.hpp"
#include "base.hpp"
#include "etag.hpp"

using http::Answer;

TEST_CASE("An etag goes to a meta and back") {
  for (const std::string &field : std::vector<std::string>{"\"abc\"", "W/\"abc\"", "\"!#$%&'()*+\"", "\"5e-1a:b\""}) {
    CAPTURE(field);
    const std::string etag = http::etag_of(field);
    CHECK(etag.find('"') == etag.npos);
    CHECK(http::field_of(etag) == field);
  }
  CHECK(http::etag_of("\"abc\"") == "abc");
  CHECK(http::etag_of("W/\"abc\"") == "W/abc");
}

TEST_CASE("An etag that does not fit is a hash, another for each, and goes not back") {
  std::vector<std::string> seen;
  for (const std::string &field : std::vector<std::string>{
           "\"" + std::string(65, 'a') + "\"", "W/\"" + std::string(63, 'a') + "\"", std::string("\"a b\""),
           std::string("\"\xc3\xa9\""), std::string("\"W/abc\""), std::string("\"#abc\"")}) {
    CAPTURE(field);
    const std::string etag = http::etag_of(field);
    CHECK(etag.size() == 41);
    CHECK(etag.front() == '#');
    CHECK(http::field_of(etag).empty());
    for (const std::string &other : seen) CHECK(etag != other);
    seen.push_back(etag);
  }
  CHECK(http::etag_of("\"" + std::string(64, 'a') + "\"") == std::string(64, 'a'));
  CHECK(http::etag_of("W/\"" + std::string(62, 'a') + "\"") == "W/" + std::string(62, 'a'));
}

TEST_CASE("What is no etag is none") {
  for (const char *field : {"", "abc", "\"\"", "\"", "W/", "W/\"\"", "w/abc"}) CHECK(http::etag_of(field).empty());
}

TEST_CASE("A head is read whatever the case and the blanks of its fields") {
  Answer answer;
  http::read_line(answer, "HTTP/1.1 100 Continue\r\n");
  http::read_line(answer, "ETag: \"old\"\r\n");
  http::read_line(answer, "HTTP/2 206 \r\n");
  CHECK(answer.etag.empty());
  http::read_line(answer, "eTAG:\"new\" \r\n");
  http::read_line(answer, "Content-Length:  10\r\n");
  http::read_line(answer, "content-range: bytes 5-14/100\r\n");
  http::read_line(answer, "X-TTL: 1.5\r\n");
  http::read_line(answer, "no field at all\r\n");
  CHECK(answer.status == 206);
  CHECK(answer.etag == "\"new\"");
  CHECK(answer.length == 10);
  CHECK(answer.first == 5);
  CHECK(answer.value_size() == 100);
  CHECK(answer.ttl == 1500);
}

TEST_CASE("Fields that say nonsense say nothing") {
  Answer answer;
  http::read_line(answer, "HTTP/1.1 200 OK");
  for (const char *line : {"Content-Length: -1", "Content-Length: 1x", "X-Ttl: soon", "X-Ttl: -1", "X-Ttl: 1e300",
                           "X-Ttl: nan", "Last-Modified: yesterday", "Content-Range: bytes x-y/z", "Content-Range: 1"})
    http::read_line(answer, line);
  CHECK(answer.length == OMNISTORE_UNKNOWN_SIZE);
  CHECK(answer.ttl == -1);
  CHECK(answer.mtime == 0);
  CHECK(answer.whole == OMNISTORE_UNKNOWN_SIZE);
}

TEST_CASE("An error's words are one line, and not long") {
  Answer answer;
  http::read_line(answer, "HTTP/1.1 503 Service Unavailable");
  CHECK(http::words_of(answer) == "503 Service Unavailable");
  answer.text = R"({"message":"line\none."})";
  CHECK(http::words_of(answer) == "503 Service Unavailable: line one");
  answer.text = "{\"message\":\"" + std::string(199, 'x') + "é and more\"}";
  CHECK(http::words_of(answer) == "503 Service Unavailable: " + std::string(199, 'x'));
  answer.text = "<html>";
  CHECK(http::words_of(answer) == "503 Service Unavailable");
  answer.text = "{\"message\":\"\xff\"}";
  CHECK(http::words_of(answer) == "503 Service Unavailable");
}

TEST_CASE("A base is taken apart") {
  const http::Base base = http::parse_base("https://us%40er:w%3Aord@Example.org/a%20b//c/");
  CHECK(base.url.find("us") == std::string::npos);
  CHECK(base.shown == "Example.org:443");
  CHECK(base.path == std::vector<std::string>{"a b", "c"});
  CHECK(base.user == "us@er");
  CHECK(base.password == "w:ord");
  CHECK(http::server_of(base.url) == "https://Example.org:443");
  CHECK(http::server_of("file:///etc/passwd").empty());
  CHECK_FALSE(http::parse_base("http://h").has_login);
}

TEST_CASE("What no host can ask for is no key") {
  for (const char *key : {"a", "a:b", "a:.b:..c", "a b", "é", "a$"}) CHECK(http::is_key(key));
  for (const char *key : {"", ":", "a:", ":a", "a::b", ".", "a:..", "a/b", "a\\b", "a?", "\xff", "\xc0\xaf"})
    CHECK_FALSE(http::is_key(key));
  CHECK(http::is_key(std::string(4096, 'k')));
  CHECK_FALSE(http::is_key(std::string(4097, 'k')));
}
