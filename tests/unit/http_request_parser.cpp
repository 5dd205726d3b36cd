// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "http/request_parser.hpp"

using namespace omnistore::http;
using Progress = RequestParser::Progress;

TEST_CASE("the headers that matter are kept, by any case of their names, and the others dropped") {
  RequestParser parser(8192);
  const std::string message = "PUT /a?b HTTP/1.1\r\nhOST: here\r\nX-Other: x\r\nx-TTL: 5\r\nIf-Match:\r\n\r\nbody";
  REQUIRE(parser.head(message) == Progress::done);
  CHECK(parser.head_size() == message.size() - 4);
  Request request;
  parser.fill(message.data(), request);
  CHECK(request.method == Method::put);
  CHECK(request.target == "/a?b");
  CHECK(request[Header::host] == "here");
  CHECK(request[Header::x_ttl] == "5");
  CHECK(request.has(Header::if_match));
  CHECK(request[Header::if_match].empty());
  CHECK_FALSE(request.has(Header::accept));
}

TEST_CASE("a head is read however it is cut, even if the buffer moves in between") {
  const std::string message = "GET /a HTTP/1.1\r\nHost: here\r\nAccept: b\r\nX-Ttl: 7\r\n\r\n";
  for (std::size_t first = 1; first < message.size(); ++first) {
    for (std::size_t second = first + 1; second < message.size(); second += 3) {
      RequestParser parser(8192);
      REQUIRE(parser.head(std::string(message, 0, first)) == Progress::more);
      REQUIRE(parser.head(std::string(message, 0, second)) == Progress::more);
      REQUIRE(parser.head(message) == Progress::done);
      Request request;
      parser.fill(message.data(), request);
      REQUIRE(request[Header::host] == "here");
      REQUIRE(request[Header::accept] == "b");
      REQUIRE(request[Header::x_ttl] == "7");
      REQUIRE(request.target == "/a");
    }
  }
}

TEST_CASE("nothing is left of one request in the next") {
  RequestParser parser(8192);
  REQUIRE(parser.head("PUT /a HTTP/1.0\r\nHost: here\r\nContent-Length: 5\r\n\r\n") == Progress::done);
  CHECK(parser.content_length() == 5);
  parser.reset();
  CHECK_FALSE(parser.begun());
  const std::string next = "GET /b HTTP/1.1\r\n\r\n";
  REQUIRE(parser.head(next) == Progress::done);
  Request request;
  parser.fill(next.data(), request);
  CHECK_FALSE(request.has(Header::host));
  CHECK(request.version == 11);
  CHECK(request.keep_alive);
  CHECK(parser.content_length() == 0);
}

TEST_CASE("a chunked body is read in any pieces") {
  const std::string head = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunks = "5\r\nabcde\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  for (std::size_t piece = 1; piece <= chunks.size(); ++piece) {
    RequestParser parser(8192);
    REQUIRE(parser.head(head) == Progress::done);
    REQUIRE_FALSE(parser.content_length());
    Buffer body;
    std::string waiting;
    Progress progress = Progress::more;
    for (std::size_t at = 0; at < chunks.size(); at += piece) {
      waiting += chunks.substr(at, piece);
      std::size_t used = 0;
      progress = parser.chunks(waiting, used, body, 100);
      waiting.erase(0, used);
      REQUIRE(progress == (at + piece < chunks.size() ? Progress::more : Progress::done));
    }
    CHECK(progress == Progress::done);
    CHECK(body.view() == "abcde0123456789");
    CHECK(waiting.empty());
  }
}
