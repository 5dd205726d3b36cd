// SPDX-License-Identifier: Apache-2.0
// The parts of the driver that need no server: etags, heads, urls.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "transport/base.hpp"
#include "transport/etag.hpp"
#include "transport/response.hpp"

using http::Response;

TEST_CASE("An etag goes to a meta and back") {
  for (const std::string &field : std::vector<std::string>{"\"abc\"", "W/\"abc\"", "\"!#$%&'()*+\"", "\"5e-1a:b\""}) {
    CAPTURE(field);
    const std::string etag = http::etag_of(field);
    CHECK(etag.find('"') == etag.npos);
    CHECK(http::header_of(etag) == field);
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
    CHECK(http::header_of(etag).empty());
    for (const std::string &other : seen) CHECK(etag != other);
    seen.push_back(etag);
  }
  CHECK(http::etag_of("\"" + std::string(64, 'a') + "\"") == std::string(64, 'a'));
  CHECK(http::etag_of("W/\"" + std::string(62, 'a') + "\"") == "W/" + std::string(62, 'a'));
}

TEST_CASE("Only the form of an etag is an etag") {
  for (const char *field : {"", "abc", "\"\"", "\"", "W/", "W/\"\"", "w/abc"}) CHECK(http::etag_of(field).empty());
}

TEST_CASE("A head is read whatever the case and the blanks of its headers") {
  Response response;
  http::read_line(response, "HTTP/1.1 100 Continue\r\n");
  http::read_line(response, "ETag: \"old\"\r\n");
  http::read_line(response, "HTTP/2 206 \r\n");
  CHECK(response.etag.empty());
  http::read_line(response, "eTAG:\"new\" \r\n");
  http::read_line(response, "Content-Length:  10\r\n");
  http::read_line(response, "content-range: bytes 5-14/100\r\n");
  http::read_line(response, "X-TTL: 1.5\r\n");
  http::read_line(response, "no field at all\r\n");
  CHECK(response.status == 206);
  CHECK(response.etag == "\"new\"");
  CHECK(response.length == 10);
  CHECK(response.first == 5);
  CHECK(response.value_size() == 100);
  CHECK(response.ttl == 1500);
}

TEST_CASE("Headers that say nonsense say nothing") {
  Response response;
  http::read_line(response, "HTTP/1.1 200 OK");
  for (const char *line : {"Content-Length: -1", "Content-Length: 1x", "X-Ttl: soon", "X-Ttl: -1", "X-Ttl: 1e300",
                           "X-Ttl: nan", "Last-Modified: yesterday", "Content-Range: bytes x-y/z", "Content-Range: 1"})
    http::read_line(response, line);
  CHECK(response.length == OMNISTORE_UNKNOWN_SIZE);
  CHECK(response.ttl == -1);
  CHECK(response.mtime == 0);
  CHECK(response.whole == OMNISTORE_UNKNOWN_SIZE);
}

TEST_CASE("An error's words are one line, and not long") {
  Response response;
  http::read_line(response, "HTTP/1.1 503 Service Unavailable");
  CHECK(http::words_of(response) == "503 Service Unavailable");
  response.text = R"({"message":"line\none."})";
  CHECK(http::words_of(response) == "503 Service Unavailable: line one");
  response.text = "{\"message\":\"" + std::string(199, 'x') + "é and more\"}";
  CHECK(http::words_of(response) == "503 Service Unavailable: " + std::string(199, 'x'));
  response.text = "<html>";
  CHECK(http::words_of(response) == "503 Service Unavailable");
  response.text = "{\"message\":\"\xff\"}";
  CHECK(http::words_of(response) == "503 Service Unavailable");
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

TEST_CASE("A key that no host can request is no key") {
  for (const char *key : {"a", "a:b", "a:.b:..c", "a b", "é", "a$"}) CHECK(http::is_key(key));
  for (const char *key : {"", ":", "a:", ":a", "a::b", ".", "a:..", "a/b", "a\\b", "a?", "\xff", "\xc0\xaf"})
    CHECK_FALSE(http::is_key(key));
  CHECK(http::is_key(std::string(4096, 'k')));
  CHECK_FALSE(http::is_key(std::string(4097, 'k')));
}
