// SPDX-License-Identifier: Apache-2.0
// Requests and responses in the stream of bytes.
#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;
using test::request;

TEST_CASE("a connection serves one request after the other") {
  Host host;
  Client client(host.http());
  for (int i = 0; i < 100; ++i) {
    const std::string value = std::to_string(i);
    REQUIRE(client.ask("PUT", "/a", value).status == 200);
    REQUIRE(client.ask("GET", "/a").body == value);
  }
}

TEST_CASE("pipelined requests get responses in their order") {
  Host host;
  for (int i = 0; i < 300; ++i) host.storage.set("k:" + std::to_string(i), std::to_string(i));
  Client client(host.http());
  std::string all;
  for (int i = 0; i < 300; ++i) all += request("GET", "/k/" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 300; ++i) REQUIRE(client.receive().body == std::to_string(i));
}

TEST_CASE("pipelined requests to a store that may wait get responses in their order too") {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  Host host(config);
  host.storage.set("a", "fast");
  Client client(host.http());
  std::string all;
  for (int i = 0; i < 50; ++i) all += request("GET", i % 2 ? "/a" : "/slow/free");
  client.send(all);
  for (int i = 0; i < 50; ++i) REQUIRE(client.receive().body == (i % 2 ? "fast" : "free"));
}

TEST_CASE("a request may come in pieces cut anywhere") {
  Host host;
  const std::string put = request("PUT", "/a%20b", "some value", "X-Ttl: 100\r\nIf-None-Match: \"x\"\r\n");
  const std::string chunked = "PUT /chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "4\r\nsome\r\n6;ext=1\r\n value\r\n0\r\nTrailer: x\r\n\r\n";
  for (const std::string &message : {put, chunked}) {
    for (std::size_t cut = 1; cut < message.size(); ++cut) {
      INFO(cut);
      Client client(host.http());
      client.send(std::string_view(message).substr(0, cut));
      client.send(std::string_view(message).substr(cut));
      REQUIRE(client.receive().status == 200);
      REQUIRE(client.ask("GET", "/a%20b").body == "some value");
    }
  }
  CHECK(host.storage.get("chunked") == "some value");
}

TEST_CASE("a request may come byte by byte") {
  Host host;
  Client client(host.http());
  for (const char byte : request("PUT", "/a", "value")) client.send(std::string_view(&byte, 1));
  CHECK(client.receive().status == 200);
  CHECK(host.storage.get("a") == "value");
}

TEST_CASE("bodies of any length arrive whole, with a length and in chunks") {
  Host host;
  for (const std::size_t size : {1u, 8000u, 8191u, 8192u, 70'000u, 3'000'000u}) {
    INFO(size);
    std::string value(size, 'v');
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 7);
    Client client(host.http());
    REQUIRE(client.ask("PUT", "/plain", value).status == 200);
    REQUIRE(client.ask("GET", "/plain").body == value);

    std::string message = "PUT /chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < size; at += 50'000) {
      const std::string piece = value.substr(at, 50'000);
      char head[32];
      std::snprintf(head, sizeof head, "%zx\r\n", piece.size());
      message += head + piece + "\r\n";
    }
    client.send(message + "0\r\n\r\n");
    REQUIRE(client.receive().status == 200);
    REQUIRE(host.storage.get("chunked") == value);
  }
}

TEST_CASE("a request after a chunked one on the same connection is its own") {
  Host host;
  Client client(host.http());
  client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
              request("GET", "/a"));
  CHECK(client.receive().status == 200);
  CHECK(client.receive().body == "abc");
}

TEST_CASE("Expect: 100-continue gets 100, or the refusal at once") {
  Host host;
  Client client(host.http());
  client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send("value");
  CHECK(client.receive().status == 200);
  CHECK(host.storage.get("a") == "value");

  client.send("PUT /a/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.receive().status == 400);
  Client other(host.http());
  CHECK(other.ask("PUT", "/a", "x", "Expect: wonders\r\n").status == 417);
}

TEST_CASE("Connection: close and HTTP/1.0 end the connection, keep-alive keeps it") {
  Host host;
  host.storage.set("a", "value");
  Client closing(host.http());
  CHECK(closing.ask("GET", "/a", {}, "Connection: close\r\n").header("connection") == "close");
  CHECK(closing.ended());
  Client old(host.http());
  old.send("GET /a HTTP/1.0\r\n\r\n");
  CHECK(old.receive().body == "value");
  CHECK(old.ended());
  Client kept(host.http());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(kept.receive().header("connection") == "keep-alive");
  }
}

TEST_CASE("a client that has finished sending still gets its responses") {
  Host host;
  host.storage.set("a", "value");
  Client client(host.http());
  client.send(request("GET", "/a") + request("GET", "/a"));
  client.finish();
  CHECK(client.receive().body == "value");
  CHECK(client.receive().body == "value");
  CHECK(client.ended());
}

TEST_CASE("bytes that could be two different requests are refused, and the connection ends") {
  Host host;
  const std::string head = "PUT /a HTTP/1.1\r\nHost: localhost\r\n";
  const std::pair<std::string, int> cases[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET /a HTTP/2.0\r\n\r\n", 505},
      {"GET a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\n\r\n", 400}, // no Host
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost : localhost\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n 5\r\n\r\n", 400}, // folded
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nX-Other: a\r\n\tb\r\n\r\n", 400},     // a header that nothing reads
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nX-Other:\r\n b\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\nRange: bytes=1-\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n\r\n", 400},
      {"GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400},
      {head + "X-Ttl: 1\r\nX-Ttl: 1\r\nContent-Length: 0\r\n\r\n", 400},
      {head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
      {head + "Content-Length: -1\r\n\r\n", 400},
      {head + "Content-Length: 1x\r\n\r\nx", 400},
      {head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
      // RFC 9112 section 6.3: if chunked is not last, nobody knows where the body ends.
      {head + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: \r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
      {head + "Transfer-Encoding: chunked\r\n\r\n5;a=\"x\ny\"\r\nabcde\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nabcde\r\n0\r\n\r\n", 400},
      {head + "Content-Length: +1\r\n\r\nx", 400},
      {head + "Content-Length: 1, 2\r\n\r\nxx", 400},
      {head + "Content-Length: 18446744073709551617\r\n\r\nx", 400},
      {head + "Content-Length:\r\n\r\nx", 400},
      {head + "Content-Length : 1\r\n\r\nx", 400},
      {head + "X: a\nContent-Length: 1\r\n\r\nx", 400},
      {head + "X: a\rContent-Length: 1\r\n\r\nx", 400},
      {head + std::string("X: a\0b\r\n\r\n", 10), 400},
      {head + "X: a\x01\r\n\r\n", 400},
      {head + ": a\r\n\r\n", 400},
      {head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nxx\r\n0\r\n\r\n", 400},
      {"PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  };
  for (const auto &[message, status] : cases) {
    INFO(message);
    Client client(host.http());
    client.send(message);
    CHECK(client.receive().status == status);
  }
  CHECK(host.storage.keys().all().empty());
}

TEST_CASE("A malformed request line is refused at once, and only another version of HTTP is 505") {
  Host host;
  for (const char *line : {"GET /my key HTTP/1.1\r\n",
                           "GET /a HTTP/1.1\n",
                           "GET  /a HTTP/1.1\r\n",
                           "GET /a  HTTP/1.1\r\n",
                           "GET /a HTTP/1.1 \r\n",
                           " GET /a HTTP/1.1\r\n",
                           "GET /a\r\n",
                           "GET\r\n",
                           "GET /a http/1.1\r\n",
                           "GET /a HTTP/1\r\n",
                           "GET /a HTTP/1.10\r\n",
                           "GET /a HTTP/x.y\r\n",
                           "GET /a HTTPS/1.1\r\n",
                           "GET /a\tHTTP/1.1\r\n",
                           "GET /a\x01 HTTP/1.1\r\n",
                           "GET /a\x7f HTTP/1.1\r\n",
                           "GET /a HTTP/1.1\rX: y\r\n",
                           "G(T /a HTTP/1.1\r\n",
                           "\n",
                           "\rGET /a HTTP/1.1\r\n",
                           "\x16\x03\x01",
                           "GET /a b HTTP/2.0\r\n"}) {
    INFO(line);
    Client client(host.http());
    client.send(line);
    const test::Answer answer = client.receive();
    CHECK(answer.status == 400);
    CHECK(answer.body.find("malformed request line") != std::string::npos);
  }
  for (const char *line : {"GET /a HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n", "GET /a HTTP/0.9\r\n"}) {
    INFO(line);
    Client client(host.http());
    client.send(line);
    CHECK(client.receive().status == 505);
  }
}

TEST_CASE("Empty lines before a request are ignored, also between two") {
  Host host;
  host.storage.set("a", "value");
  Client client(host.http());
  client.send("\r\n" + request("GET", "/a") + "\r\n\r\n" + request("GET", "/a"));
  CHECK(client.receive().body == "value");
  CHECK(client.receive().body == "value");
  for (const char *piece : {"\r", "\n\r\n", "\r", "\nGET /a HT", "TP/1.1\r\nHost: localhost\r\n\r\n"})
    client.send(piece);
  CHECK(client.receive().body == "value");
  Client endless(host.http());
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "\r\n";
  endless.send(lines + request("GET", "/a"));
  CHECK(endless.receive().status == 400);
  CHECK(endless.ended());
}

TEST_CASE("A connection with an empty line after its request is idle, and no request that does not come") {
  omnistore::Config config = test::memory_config();
  config.http.idle_timeout = 50;
  Host host(config);
  Client client(host.http());
  client.send(request("GET", "/a") + "\r\n");
  CHECK(client.receive().status == 404);
  CHECK(client.rest().empty()); // no 408
}

TEST_CASE("A list on several lines is one list") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  const auto status = [&](const std::string &method, const std::string &headers) {
    return client.ask(method, "/a", method == "PUT" ? "2" : "", headers).status;
  };
  CHECK(status("GET", "If-None-Match: \"x\"\r\nIf-None-Match: \"y\"\r\n") == 200);
  CHECK(status("GET", "If-None-Match: \"x\"\r\nIf-None-Match: " + etag + "\r\n") == 304);
  CHECK(status("GET", "If-Match: \"x\"\r\nX: y\r\nIf-Match: \"y\"\r\nIf-Match: " + etag + "\r\n") == 200);
  CHECK(status("PUT", "If-Match: \"x\"\r\nIf-Match: \"y\"\r\n") == 412);
  CHECK(status("GET", "If-Match: *\r\nIf-Match: \"y\"\r\n") == 400);
  const Answer bytes = client.ask("GET", "/a", {}, "Accept: text/html\r\nAccept: application/octet-stream\r\n");
  CHECK(bytes.header("content-type") == "application/octet-stream");
  CHECK(client.ask("GET", "/a", {}, "Connection: x\r\nConnection: close\r\n").header("connection") == "close");
  CHECK(client.ended());
}

TEST_CASE("a target may be a URL, whose host counts") {
  Host host;
  host.storage.set("a", "value");
  Client client(host.http());
  CHECK(client.ask("GET", "http://localhost/a").body == "value");
  CHECK(client.ask("GET", "http://elsewhere.example/a").status == 421);
}

TEST_CASE("a value of many megabytes goes out to a slow reader", "[long]") {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  Host host(config);
  Client client(host.http());
  client.send(request("GET", "/slow/big") + request("GET", "/slow/big") + request("GET", "/slow/free"));
  for (int i = 0; i < 2; ++i) CHECK((client.receive().body == std::string(8 << 20, 'b')));
  CHECK(client.receive().body == "free");
}
