// SPDX-License-Identifier: Apache-2.0
// Text that a client chose never reaches a log, a message, a header or a page unchanged: PUT
// /k%0A2026-...%20forged%1b[31m once wrote a line of its own into the log.
#include <string>

#include <catch2/catch.hpp>

#include "base/printable.hpp"
#include "gate.hpp"
#include "support/log_lines.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

/// A line end, the start of a log line, ESC, DEL, C1's CSI, a bidirectional override and a line separator.
const std::string hostile = "k%0A2026-11-28T00:00:00.000Z%20error%20forged%1b%5b31m%7f%c2%9b%e2%80%ae%e2%80%a8";

/// Returns true if nothing in the text acts on a terminal, and no line could be taken for one of the log.
bool is_safe(const std::string &text) {
  return text == omnistore::base::printable_lines(text) && text.find("\n2026-11-28") == std::string::npos;
}

/// The same for a body of JSON, whose end is a line end.
bool is_safe_json(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text == omnistore::base::printable(text);
}

} // namespace

TEST_CASE("The log has each operation as one line, whatever its key") {
  test::Gate gate;
  const test::LogLines log(test::LogLines::debug);
  omnistore::Config config = gate.config();
  config.log.slow = 1;
  Host host(config);
  Client client(host.http());
  client.ask("PUT", "/" + hostile, "v");
  client.ask("GET", "/" + hostile);
  client.ask("DELETE", "/" + hostile + "/");
  client.ask("GET", "/" + hostile + "/");
  client.ask("GET", "/slow/says" + hostile);
  CHECK(log.has_match("WRITE.* k\\\\n2026-11-28"));
  CHECK(log.has_match("asked for says:?k\\\\n2026-11-28"));
  for (const std::string &line : log.lines()) {
    INFO(line);
    CHECK(line == omnistore::base::printable(line));
  }
}

TEST_CASE("The log has each change of a mount as one line, whatever its mountpoint") {
  const test::LogLines log(test::LogLines::debug);
  Host host;
  Client admin(host.admin());
  const std::string body = R"({"driver": "memory"})";
  CHECK(admin.ask("PUT", "/mounts/" + hostile, body).status == 200);
  CHECK(admin.ask("PUT", "/mounts/" + hostile, body).status == 200);
  CHECK(Client(host.http()).ask("PUT", "/" + hostile + "/x", "v").status == 200);
  CHECK(admin.ask("DELETE", "/mounts/" + hostile).status == 200);
  CHECK(log.has_match("unmounted k\\\\n2026-11-28"));
  for (const std::string &line : log.lines()) {
    INFO(line);
    CHECK(line == omnistore::base::printable(line));
  }
}

TEST_CASE("Errors show names that a client chose with escapes") {
  test::Gate gate;
  omnistore::Config config = gate.config();
  config.mounts["fixed"].store.driver = "memory";
  config.mounts["fixed"].read_only = true;
  Host host(config);
  Client client(host.http());
  for (const Answer &answer :
       {client.ask("PUT", "/fixed/" + hostile, "v"), client.ask("DELETE", "/fixed/" + hostile + "/"),
        client.ask("GET", "/slow/says" + hostile), client.ask("GET", "/?limit=" + hostile),
        client.ask("GET", "/" + hostile + "/.."), client.ask("PATCH", "/" + hostile, {}, "X-Ttl: never\r\n"),
        client.ask("POST", "/",
                   R"({"get": ["slow:says\n\u001b\u202e", "fixed:\u0085"], "remove": ["fixed:\n\u2028"]})"),
        client.ask("POST", "/", R"({"set": [{"key": "a", "\u001b[2J\n": 1}]})")}) {
    INFO(answer.body);
    CHECK(is_safe_json(answer.body));
  }
  CHECK_THROWS_WITH(host.storage.get("slow:says\n\x1b"), Catch::Contains("says\\n\\x1b"));
}

TEST_CASE("The admin's responses show names that a client chose with escapes") {
  Host host;
  Client admin(host.admin());
  REQUIRE(admin.ask("PUT", "/mounts/" + hostile, R"({"driver": "memory"})").status == 200);
  REQUIRE(Client(host.http()).ask("PUT", "/" + hostile + "/x", "v").status == 200);
  for (const char *page : {"/mounts", "/stats", "/drivers", "/ready"}) {
    const Answer answer = admin.ask("GET", page);
    INFO(answer.body);
    CHECK(answer.status == 200);
    CHECK(is_safe_json(answer.body));
  }
  for (const Answer &answer :
       {admin.ask("GET", "/explain?key=" + hostile), admin.ask("GET", "/explain?key=" + hostile + "/.."),
        admin.ask("DELETE", "/mounts/none" + hostile), admin.ask("PUT", "/mounts/" + hostile, "no json"),
        admin.ask("PUT", "/mounts/" + hostile, R"({"driver": "none\n\u001b\u202e"})"),
        admin.ask("PUT", "/mounts/" + hostile, R"({"driver": "memory", "options": {"\n\u001b": 1}})")}) {
    INFO(answer.body);
    CHECK(is_safe_json(answer.body));
  }
}

TEST_CASE("A mountpoint with control characters is one label of the metrics") {
  Host host;
  Client admin(host.admin());
  REQUIRE(admin.ask("PUT", "/mounts/" + hostile, R"({"driver": "memory"})").status == 200);
  REQUIRE(Client(host.http()).ask("PUT", "/" + hostile + "/x", "v").status == 200);
  const std::string metrics = admin.ask("GET", "/metrics").body;
  CHECK(metrics.find("mount=\"k\\n2026-11-28") != std::string::npos);
  CHECK(metrics.find("\n2026-11-28") == std::string::npos);
  for (std::size_t at = 0, end = 0; (end = metrics.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = metrics.substr(at, end - at);
    INFO(line);
    CHECK(line == omnistore::base::printable(line));
  }
}

TEST_CASE("Listings and events show keys with escapes that mean the same keys") {
  Host host;
  Client watcher(host.http());
  watcher.send(test::request("GET", "/", {}, "Accept: text/event-stream\r\n"));
  REQUIRE(watcher.head().status == 200);
  Client client(host.http());
  client.ask("PUT", "/" + hostile, "v");
  const std::string listing = client.ask("GET", "/").body;
  CHECK(is_safe_json(listing));
  CHECK(listing.find("k\\n2026") != std::string::npos);
  CHECK(listing.find("\\u007f\\u009b\\u202e\\u2028") != std::string::npos);
  std::string events;
  while (events.find("event: update") == std::string::npos) events += watcher.chunk();
  INFO(events);
  for (const char *raw : {"\x1b", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\xa8", "\n2026"})
    CHECK(events.find(raw) == std::string::npos);
}

TEST_CASE("No header of a response has a line end or control character that a client chose") {
  omnistore::Config config = test::memory_config();
  config.http.origins = {"*"};
  Host host(config);
  Client client(host.http());
  client.send("GET /" + hostile + "/?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = client.rest();
  const std::string head = answer.substr(0, answer.find("\r\n\r\n"));
  INFO(head);
  CHECK(is_safe(omnistore::base::printable_lines(head)));
  CHECK(head.find('\x1b') == std::string::npos);
  CHECK(head.find("forged") == std::string::npos);
}
