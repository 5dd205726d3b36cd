// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "base/printable.hpp"
#include "http/reply.hpp"

using namespace omnistore::http;

namespace {

std::string text(const Buffer &buffer) { return std::string(buffer.view()); }

std::string json(std::string_view from) {
  Buffer out;
  append_json(out, from);
  return text(out);
}

} // namespace

TEST_CASE("dates are as HTTP writes them") {
  Buffer out;
  append_date(out, 784111777);
  CHECK(text(out) == "Sun, 06 Nov 1994 08:49:37 GMT");
  out.truncate(0);
  append_date(out, 1709164799);
  CHECK(text(out) == "Wed, 28 Feb 2024 23:59:59 GMT");
  out.truncate(0);
  append_date(out, 0);
  CHECK(text(out) == "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST_CASE("JSON strings are escaped, and UTF-8 whatever went in") {
  CHECK(json("a\"b\\c/\n\t\x01") == R"("a\"b\\c/\n\t\u0001")");
  CHECK(json("\xe2\x82\xac\xf0\x9f\x98\x80") == "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
  const std::string replaced = "\"\xef\xbf\xbd\"";
  for (const char *wrong : {"\xff", "\xc0", "\xe2", "\xf5"}) CHECK(json(wrong) == replaced);
  CHECK(json("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); // a surrogate
}

TEST_CASE("a JSON string of every code point is read back as it was, and no control character is raw") {
  // Once U+E0041, a tag as in the flag of England, became "\\u0041".
  CHECK(json("\U000e0041") == R"("\udb40\udc41")");
  std::string all;
  for (unsigned point = 1; point <= 0x10ffff; ++point) {
    if (point >= 0xd800 && point < 0xe000) continue;
    if (point < 0x80) {
      all += static_cast<char>(point);
      continue;
    }
    const int size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    all += static_cast<char>((0xf00u >> size) | (point >> (6 * (size - 1))));
    for (int rest = size - 2; rest >= 0; --rest) all += static_cast<char>(0x80 | ((point >> (6 * rest)) & 0x3f));
  }
  const std::string written = json(all);
  const bool is_same = boost::json::parse(written).as_string() == all; // both are too long to be shown
  CHECK(is_same);
  const bool is_printable = omnistore::base::printable(written) == written;
  CHECK(is_printable);
}

TEST_CASE("a key is listed with slashes") {
  Buffer out;
  append_json_key(out, "a:b:c");
  CHECK(text(out) == R"("a/b/c")");
}

TEST_CASE("a chunk is framed, and an empty one is not put out since it would end the body") {
  Buffer out;
  out.append("head ");
  const std::size_t chunk = open_chunk(out);
  out.append(std::string(300, 'x'));
  close_chunk(out, chunk);
  CHECK(text(out) == "head 0000012c\r\n" + std::string(300, 'x') + "\r\n");
  const std::size_t size = out.size();
  close_chunk(out, open_chunk(out));
  CHECK(out.size() == size);
}

TEST_CASE("an error has its status, its reason and its message, and none of it to a HEAD") {
  Buffer out;
  Request request;
  request.method = Method::get;
  Response response(out);
  reply_error(request, response, 412, "no \"way\"", "X: y\r\n");
  CHECK(text(out).starts_with("HTTP/1.1 412 Precondition Failed\r\n"));
  CHECK(text(out).find("X: y\r\n") != std::string::npos);
  CHECK(text(out).ends_with("\r\n\r\n"
                            R"({"status":412,"statusText":"Precondition Failed","message":"no \"way\""})"));
  out.truncate(0);
  request.method = Method::head;
  reply_error(request, response, 412, "no");
  CHECK(text(out).ends_with("\r\n\r\n"));
}

TEST_CASE("every kind of failure has the HTTP status that the design gives it") {
  using omnistore::Status;
  const std::pair<Status, unsigned> table[] = {
      {Status::ok, 200},        {Status::not_found, 404},   {Status::invalid, 400},   {Status::denied, 403},
      {Status::read_only, 405}, {Status::conflict, 412},    {Status::too_large, 413}, {Status::unsupported, 501},
      {Status::timeout, 504},   {Status::unavailable, 503}, {Status::no_space, 507},  {Status::io, 500},
      {Status::corrupt, 500},   {Status::internal, 500},
  };
  for (const auto &[status, code] : table) {
    CHECK(http_status(status) == code);
    CHECK(reason(code) != "Unknown");
  }
}
