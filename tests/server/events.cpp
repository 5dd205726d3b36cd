// SPDX-License-Identifier: Apache-2.0
// Server-sent events.
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "gate.hpp"
#include "routes/event_feed.hpp"
#include "support/redis_server.hpp"
#include "support/threads.hpp"

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::Gate;
using test::Host;
using test::request;

namespace {

const std::string event_stream = "Accept: text/event-stream\r\n";

/// A client's stream of events.
class Stream {
public:
  using Block = std::map<std::string, std::string>; ///< fields by name

  Stream(const std::string &address, const std::string &target, const std::string &headers = {}) : client(address) {
    client.send(request("GET", target, {}, event_stream + headers));
    head = client.head();
  }

  /// The next block, also one with an id alone; empty: the stream has ended, or nothing but signs of life came for 20
  /// seconds.
  Block block() {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    Block next;
    while (next.empty() && read_block() && std::chrono::steady_clock::now() < deadline) next = take_block();
    return next;
  }
  /// The next event: "update {"key":"a"}"; "": as with block().
  std::string event() {
    Block next = block();
    while (!next.empty() && !next.contains("data")) next = block();
    if (next.contains("id")) id = next["id"];
    return next.empty() ? std::string() : next["event"] + " " + next["data"];
  }

  Client client;
  Answer head;
  std::string id; ///< of the last event

private:
  bool read_block() {
    while (text_.find("\n\n") == std::string::npos) {
      const std::string piece = client.chunk();
      if (piece.empty()) return false;
      text_ += piece;
    }
    return true;
  }
  Block take_block() {
    const std::size_t end = text_.find("\n\n");
    Block fields;
    for (std::size_t at = 0; at < end;) {
      const std::size_t stop = text_.find('\n', at), colon = text_.find(':', at);
      if (colon != at) fields[text_.substr(at, colon - at)] = text_.substr(colon + 2, stop - colon - 2);
      at = stop + 1;
    }
    text_.erase(0, end + 2);
    return fields;
  }

  std::string text_;
};

std::string update(const std::string &key) { return R"(update {"key":")" + key + "\"}"; }

omnistore::Config with_tiny() {
  omnistore::Config config = test::memory_config();
  config.mounts["tiny"].store.driver = "memory";
  config.mounts["tiny"].store.options = R"({"size": 1})";
  return config;
}

} // namespace

TEST_CASE("a stream of events has its type, and forbids caches") {
  Host host;
  const Stream stream(host.http(), "/");
  CHECK(stream.head.status == 200);
  CHECK(stream.head.header("content-type") == "text/event-stream");
  CHECK(stream.head.header("cache-control") == "no-store");
  CHECK(stream.head.header("transfer-encoding") == "chunked");
  CHECK(stream.head.header("connection") == "close");
}

TEST_CASE("changes come as events, with keys as the HTTP protocol has them, and the cause of a removal") {
  Host host(with_tiny());
  Stream stream(host.http(), "/:");
  Client writer(host.http());
  CHECK(writer.ask("PUT", "/a/b", "1").status == 200);
  CHECK(stream.event() == update("a/b"));
  CHECK(writer.ask("DELETE", "/a/b").status == 200);
  CHECK(stream.event() == R"(remove {"key":"a/b","cause":"removed"})");
  host.storage.set("a:\"\n\xc3\xa4", "");
  CHECK(stream.event() == update("a/\\\"\\n\xc3\xa4"));
  CHECK(writer.ask("DELETE", "/a/").status == 200);
  CHECK(stream.event() == "remove {\"key\":\"a/\\\"\\n\xc3\xa4\",\"cause\":\"cleared\"}");
  host.storage.set("tiny:1", "");
  host.storage.set("tiny:2", "");
  std::vector<std::string> events{stream.event(), stream.event(), stream.event()};
  CHECK(std::count(events.begin(), events.end(), R"(remove {"key":"tiny/1","cause":"evicted"})") == 1);
}

TEST_CASE("a base's stream has the keys under it alone, a key's stream the key and those under it") {
  Host host;
  Stream base(host.http(), "/user/1/"), key(host.http(), "/user/1");
  for (const char *name : {"user:1", "user:10", "user", "user:1:name", "last"}) host.storage.set(name, "");
  CHECK(base.event() == update("user/1/name"));
  CHECK(key.event() == update("user/1"));
  CHECK(key.event() == update("user/1/name"));
}

TEST_CASE("without an Accept that names events the response is the listing or value") {
  Host host;
  host.storage.set("a", "1");
  Client client(host.http());
  CHECK(client.ask("GET", "/a", {}, "Accept: text/*\r\n").body == "1");
  CHECK(client.ask("GET", "/", {}, "Accept: */*\r\n").body == "[\"a\"]");
  CHECK(client.ask("PUT", "/a", "2", event_stream).body == "OK");
  const Stream among(host.http(), "/", "");
  CHECK(among.head.header("content-type") == "text/event-stream");
  client.send(request("GET", "/", {}, "Accept: text/html, Text/Event-Stream;q=0.9\r\n"));
  CHECK(client.head().header("content-type") == "text/event-stream");
}

TEST_CASE("a client of HTTP/1.0 gets events unframed") {
  Host host;
  Client client(host.http());
  client.send("GET / HTTP/1.0\r\n" + event_stream + "\r\n");
  const Answer head = client.head();
  CHECK(head.status == 200);
  CHECK(head.header("transfer-encoding").empty());
  host.storage.set("a", "");
  std::thread stopper([&] { host.server.stop(20s); });
  const std::string body = client.rest();
  stopper.join();
  CHECK(body.starts_with("id: "));
}

TEST_CASE("a stream resumes after the event that Last-Event-ID or ?lastEventId= names") {
  Host host;
  std::string seen;
  {
    Stream first(host.http(), "/");
    host.storage.set("a", "");
    CHECK(first.event() == update("a"));
    seen = first.id;
  }
  host.storage.set("b", "");
  Stream by_field(host.http(), "/", "Last-Event-ID: " + seen + "\r\n"), by_query(host.http(), "/?lastEventId=" + seen);
  host.storage.set("c", "");
  for (Stream *stream : {&by_field, &by_query}) {
    CHECK(stream->event() == update("b"));
    CHECK(stream->event() == update("c"));
    CHECK(stream->id == std::to_string(std::stoull(seen) + 2));
  }
}

TEST_CASE("a client that has seen no event yet has an id to resume from") {
  Host host;
  std::string id;
  {
    Stream first(host.http(), "/");
    id = first.block()["id"];
  }
  REQUIRE_FALSE(id.empty());
  host.storage.set("a", "");
  Stream second(host.http(), "/", "Last-Event-ID: " + id + "\r\n");
  CHECK(second.event() == update("a"));
}

TEST_CASE("a stream reports that a store does not see changes of others, with the reason and without an id") {
  const test::RedisServer redis; // its keyspace notifications are off
  omnistore::Config config = test::memory_config();
  config.mounts["r"].store.driver = "redis";
  config.mounts["r"].store.options = R"({"url": ")" + redis.url() + "\"}";
  Host host(config);
  Stream stream(host.http(), "/");
  Stream::Block block = stream.block();
  if (block.contains("id")) block = stream.block(); // the number to resume after
  CHECK(block["event"] == "limited");
  CHECK_FALSE(block.contains("id"));
  const std::string message = std::string(boost::json::parse(block["data"]).at("message").as_string());
  CHECK(message.starts_with("watch (mount r, driver redis): the changes that others make are not reported: "));
  CHECK(message.find("CONFIG SET notify-keyspace-events KEA") != message.npos);
  CHECK(message.find("option notify") != message.npos);
  host.storage.set("r:own", "");
  CHECK(stream.event() == update("r/own"));
  REQUIRE_FALSE(stream.id.empty());
  // One that resumes gets the limit again, and continues at its place.
  host.storage.set("r:next", "");
  Stream next(host.http(), "/", "Last-Event-ID: " + stream.id + "\r\n");
  const std::string one = next.event(), two = next.event();
  CHECK((one.starts_with("limited ") || two.starts_with("limited ")));
  CHECK((one == update("r/next") || two == update("r/next")));
}

TEST_CASE("a stream that cannot resume at its place says so at once") {
  Host host;
  Stream stream(host.http(), "/", "Last-Event-ID: 5\r\n");
  CHECK(stream.event() == R"(resync {"missed":null})");
  host.storage.set("a", "");
  CHECK(stream.event() == update("a"));
}

TEST_CASE("a malformed Last-Event-ID is 400") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("GET", "/", {}, event_stream + "Last-Event-ID: x\r\n").status == 400);
  CHECK(client.ask("GET", "/?lastEventId=-1", {}, event_stream).status == 400);
}

TEST_CASE("a quiet stream shows that it is alive, and outlives the idle time") {
  omnistore::Config config = test::memory_config();
  config.http.idle_timeout = 60;
  Host host(config);
  Stream stream(host.http(), "/");
  CHECK(stream.block().contains("id"));
  for (int signs = 0; signs < 5; ++signs) REQUIRE(stream.client.chunk() == ":\n\n");
  host.storage.set("a", "");
  CHECK(stream.event() == update("a"));
}

TEST_CASE("the pause between signs of life is the config's") {
  omnistore::Config config = test::memory_config();
  config.http.watch_keep_alive = 20;
  Host host(config);
  Stream stream(host.http(), "/");
  CHECK(stream.block().contains("id"));
  CHECK(stream.client.chunk() == ":\n\n");
}

TEST_CASE("a client that reads nothing delays neither writers nor others, and learns how many events it missed") {
  Host host;
  Stream quick(host.http(), "/last"), slow(host.http(), "/many/");
  slow.client.hold_back(200'000);
  // More than the sockets' buffers, the feed and the room for events hold together.
  const std::string long_name(3900, 'k');
  constexpr int count = 10'000;
  for (int i = 0; i < count; ++i) host.storage.set("many:" + std::to_string(i) + long_name, "");
  host.storage.set("last", "");
  CHECK(quick.event() == update("last"));

  const std::string resync = R"(resync {"missed":)";
  int told = 0, missed = 0;
  while (told + missed < count) {
    const std::string event = slow.event();
    REQUIRE_FALSE(event.empty());
    event.starts_with(resync) ? missed += std::stoi(event.substr(resync.size())) : ++told;
  }
  CHECK(missed > 0);
  CHECK(told + missed == count);
}

TEST_CASE("events that nobody takes from a feed are bounded") {
  Host host;
  std::atomic<int> calls{0};
  omnistore::routes::EventFeed feed(host.storage, {"", true}, {}, false, nullptr);
  feed.start([&] { ++calls; });
  const std::string long_name(1000, 'k');
  for (int i = 0; i < 20'000; ++i) host.storage.set(std::to_string(i) + long_name, "");
  omnistore::http::Buffer out;
  feed.take(out);
  CHECK(out.size() < 70'000);
  CHECK(calls <= 2);
}

TEST_CASE("a stream of a store that hangs begins all the same") {
  Gate gate;
  Host host(gate.config());
  std::vector<std::unique_ptr<Client>> hanging;
  for (int i = 0; i < 16; ++i) { // as many threads as a mount has
    hanging.push_back(std::make_unique<Client>(host.http()));
    hanging.back()->send(request("GET", "/slow/hang"));
  }
  gate.await(16);
  CHECK(Stream(host.http(), "/slow/").head.status == 200);
  gate.open();
}

TEST_CASE("streams over their limit are 503, and a client that goes makes room") {
  omnistore::Config config = test::memory_config();
  config.http.max_watches = 2;
  Host host(config);
  auto first = std::make_unique<Stream>(host.http(), "/");
  const Stream second(host.http(), "/a");
  Client client(host.http());
  const Answer refused = client.ask("GET", "/", {}, event_stream);
  CHECK(refused.status == 503);
  CHECK(refused.body.find("too many streams of events (2)") != std::string::npos);
  CHECK(refused.header("retry-after") == "1");
  CHECK(client.ask("GET", "/").status == 200); // the connection continues, and so do other requests
  first.reset();
  // The server sees the end of the first some time after this side closed it.
  Answer answer = refused;
  for (int attempt = 0; attempt < 10'000 && answer.status == 503; ++attempt) {
    client.send(request("GET", "/", {}, event_stream));
    answer = client.head();
    if (answer.status == 503) {
      client.skip(std::stoul(answer.header("content-length")));
    }
  }
  CHECK(answer.status == 200);
}

TEST_CASE("streams of clients that read nothing end with them") {
  omnistore::Config config = test::memory_config();
  config.http.max_watches = 1;
  Host host(config);
  {
    Client slow(host.http());
    slow.hold_back(4096);
    slow.send(request("GET", "/", {}, event_stream));
    REQUIRE(slow.head().status == 200);
    const std::string long_name(1000, 'k');
    for (int i = 0; i < 10'000; ++i) host.storage.set(std::to_string(i % 10) + long_name, "");
  }
  int status = 503;
  for (int attempt = 0; attempt < 10'000 && status == 503; ++attempt) {
    status = Stream(host.http(), "/").head.status;
  }
  CHECK(status == 200);
}

TEST_CASE("a stop ends streams of events at once, and in good form") {
  Gate gate;
  Host host(gate.config());
  Stream stream(host.http(), "/");
  host.storage.set("a", "");
  CHECK(stream.event() == update("a"));
  auto busy = std::make_unique<Client>(host.http());
  busy->send(request("GET", "/slow/hang"));
  gate.await(1);
  std::thread stopper([&] { host.server.stop(20s); });
  CHECK(stream.client.rest() == "0\r\n\r\n"); // while the other one still waits
  gate.open();
  CHECK(busy->receive().body == "released");
  busy.reset();
  stopper.join();
}

TEST_CASE("idle streams use no thread that requests need") {
  omnistore::Config config = test::memory_config();
  config.http.threads = 1;
  Host host(config);
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 140; ++i) streams.push_back(std::make_unique<Stream>(host.http(), "/")); // the pool has 128
  Client client(host.http());
  CHECK(client.ask("GET", "/none/").body == "[]");
  host.storage.set("a", "");
  for (const auto &stream : streams) CHECK(stream->event() == update("a"));
}

TEST_CASE("streams take no threads of their own, and lose no event") {
  Host host;
  Client client(host.http());
  const Stream first(host.http(), "/w/");
  const int before = test::threads();
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(std::make_unique<Stream>(host.http(), i % 2 == 0 ? "/w/" : "/"));
  for (int i = 0; i < 1'000; ++i) CHECK(client.ask("PUT", "/w/" + std::to_string(i), "").status < 300);
  CHECK(test::threads() <= before + 2); // those of the pool
  int whole = 0;
  for (const auto &stream : streams) {
    int next = 0;
    while (next < 1'000 && stream->event() == update("w/" + std::to_string(next))) ++next;
    whole += next == 1'000 ? 1 : 0;
  }
  CHECK(whole == 100);
}

TEST_CASE("input that a client sends while events come is dropped") {
  Host host;
  Stream stream(host.http(), "/");
  stream.client.send(request("PUT", "/sent", "1"));
  host.storage.set("a", "");
  CHECK(stream.event() == update("a"));
  CHECK_FALSE(host.storage.has("sent"));
}

TEST_CASE("events need the right to read") {
  omnistore::Config config = test::memory_config();
  config.http.tokens.push_back({"reader", false, {"shared"}});
  Host host(config);
  const std::string token = "Authorization: Bearer reader\r\n";
  CHECK(Stream(host.http(), "/shared/").head.status == 401);
  CHECK(Stream(host.http(), "/", token).head.status == 403);
  CHECK(Stream(host.http(), "/shared", token).head.status == 403);
  Stream stream(host.http(), "/shared/", token);
  host.storage.set("shared", "");
  host.storage.set("other:a", "");
  host.storage.set("shared:a", "");
  CHECK(stream.event() == update("shared/a"));
  Client client(host.http());
  client.send("GET / HTTP/1.1\r\nHost: elsewhere.test\r\n" + event_stream + "\r\n");
  CHECK(client.receive().status == 421);
}

TEST_CASE("curl reads the events of a stream") {
  if (std::system("curl --version >/dev/null 2>&1") != 0) {
    WARN("curl is not installed: it was not tried");
    return;
  }
  Host host;
  const std::string command = "curl -sN --max-time 20 -H 'Accept: text/event-stream' http://" + host.http() + "/a/";
  FILE *curl = ::popen(command.c_str(), "r");
  REQUIRE(curl != nullptr);
  const auto line = [curl] {
    char text[256] = "";
    return std::string(std::fgets(text, sizeof text, curl) ? text : "");
  };
  CHECK(line().starts_with("id: ")); // it watches from here on
  CHECK(line() == "\n");
  host.storage.set("a:b", "");
  CHECK(line().starts_with("id: "));
  CHECK(line() == "event: update\n");
  CHECK(line() == "data: {\"key\":\"a/b\"}\n");
  host.server.stop(20s);
  CHECK(line() == "\n");
  CHECK(line().empty());
  CHECK(::pclose(curl) == 0);
}
