// SPDX-License-Identifier: Apache-2.0
// Bytes that are no requests, or nearly ones: the server responds or closes, and continues to serve others.
#include <random>

#include <catch2/catch.hpp>

#include "host.hpp"

using test::Client;
using test::Host;

namespace {

/// A random byte, more often one that means something in HTTP.
char some_byte(std::mt19937 &random) {
  static constexpr std::string_view telling = "\r\n\r\n :;,/%0aF?*\"=-\t";
  if (random() % 2) return telling[random() % telling.size()];
  return static_cast<char>(random());
}

std::string nearly_a_request(std::mt19937 &random) {
  static const std::string valid[] = {
      test::request("GET", "/a/b?limit=5&depth=1"),
      test::request("PUT", "/a%20b", "a value", "X-Ttl: 10\r\nIf-Match: \"a\", W/\"b\"\r\n"),
      test::request("GET", "/a", {}, "Range: bytes=1-2\r\nIf-Range: \"x\"\r\nAccept: application/octet-stream\r\n"),
      "PUT /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
      test::request("OPTIONS", "*", {}, "Origin: http://x\r\nAccess-Control-Request-Method: PUT\r\n"),
      test::request("DELETE", "/a/:"),
  };
  std::string text = valid[random() % std::size(valid)] + valid[random() % std::size(valid)];
  for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) {
    const std::size_t at = random() % text.size();
    switch (random() % 3) {
    case 0:
      text[at] = some_byte(random);
      break;
    case 1:
      text.erase(at, 1 + random() % 8);
      break;
    default:
      text.insert(at, 1 + random() % 3, some_byte(random));
    }
    if (text.empty()) text = "x";
  }
  return text;
}

} // namespace

TEST_CASE("random bytes and broken requests never bring the server down") {
  Host host;
  std::mt19937 random(20240611);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes;
    if (round % 4 == 0) {
      for (std::size_t size = random() % 400; size > 0; --size) bytes += some_byte(random);
    } else {
      bytes = nearly_a_request(random);
    }
    INFO(round);
    Client client(host.http());
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    client.send(std::string_view(bytes).substr(0, cut));
    client.send(std::string_view(bytes).substr(cut));
    client.finish();
    const std::string all = client.rest();
    REQUIRE((all.empty() || all.starts_with("HTTP/1.1 ")));
  }
  Client client(host.http());
  CHECK(client.ask("PUT", "/still", "there").status == 200);
}
