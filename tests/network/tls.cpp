// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <ctime>
#include <filesystem>
#include <string>

#include "network/secure_client.hpp"
#include "server/host.hpp"
#include "support/log_lines.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using test::Answer;
using test::Authority;
using test::SecureClient;

namespace {

/// A host whose data listener speaks TLS, with a certificate of its own authority.
struct TlsSetting {
  explicit TlsSetting(bool clients = false) {
    config.http.tls.certificate = pair.cert;
    config.http.tls.key = pair.key;
    if (clients) config.http.tls.client_ca = authority.ca();
  }

  Authority authority;
  Authority::Pair pair = authority.pair("host", "IP:127.0.0.1");
  Config config = test::memory_config();
};

std::string long_value() {
  std::string value;
  for (unsigned i = 0; value.size() < 5 * 1024 * 1024; ++i) value += std::to_string(i) + ",";
  return value;
}

} // namespace

TEST_CASE("requests and responses go through TLS, many on one connection") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  SecureClient client(host.http(), {.trusted = &setting.authority, .least = version, .most = version});
  CHECK(client.ask("PUT", "/a/b", "value").status == 200);
  for (int i = 0; i < 100; ++i) REQUIRE(client.ask("GET", "/a/b").body == "value");
  CHECK(client.ask("GET", "/none").status == 404);
}

TEST_CASE("requests that come together through TLS get all of their responses") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  SecureClient client(host.http(), {.trusted = &setting.authority});
  REQUIRE(client.ask("PUT", "/k", "v").status == 200);
  std::string together;
  for (int i = 0; i < 500; ++i) together += test::request("GET", "/k");
  REQUIRE(client.send(together));
  for (int i = 0; i < 500; ++i) REQUIRE(client.receive().body == "v");
}

TEST_CASE("a long value goes through TLS in both directions, whole and piece by piece") {
  TlsSetting setting;
  const test::Folder folder;
  setting.config.mounts["files"].store = {.driver = "fs", .options = "{\"base\": \"" + folder.path().string() + "\"}"};
  const test::Host host(setting.config);
  SecureClient client(host.http(), {.trusted = &setting.authority});
  const std::string value = long_value();
  for (const std::string target : {"/k", "/files/k"}) {
    REQUIRE(client.ask("PUT", target, value).status == 200);
    REQUIRE(client.ask("GET", target).body == value);
  }
}

TEST_CASE("events go through TLS") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  SecureClient watcher(host.http(), {.trusted = &setting.authority});
  watcher.send(test::request("GET", "/", {}, "Accept: text/event-stream\r\n"));
  REQUIRE_THAT(watcher.until("\r\n\r\n"), Contains("200 OK"));
  SecureClient writer(host.http(), {.trusted = &setting.authority});
  for (int i = 0; i < 50; ++i) {
    const std::string key = "/k" + std::to_string(i);
    REQUIRE(writer.ask("PUT", key, "v").status == 200);
    REQUIRE_THAT(watcher.until(key.substr(1)), Contains("update"));
  }
}

TEST_CASE("TLS older than 1.2 is refused") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  CHECK_THROWS_WITH(
      SecureClient(host.http(), {.trusted = &setting.authority, .least = TLS1_VERSION, .most = TLS1_1_VERSION}),
      Contains("protocol version"));
}

TEST_CASE("TLS 1.2 is spoken only with ciphers that have forward secrecy and authenticate what they encrypt") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  const auto connect = [&](const char *ciphers) {
    return SecureClient(host.http(),
                        {.trusted = &setting.authority, .most = TLS1_2_VERSION, .protocols = {}, .ciphers = ciphers});
  };
  CHECK(connect("ECDHE-ECDSA-AES128-GCM-SHA256").ask("GET", "/k").status == 404);
  CHECK_THROWS_WITH(connect("ECDHE-ECDSA-AES128-SHA"), Contains("handshake failure"));
}

TEST_CASE("ALPN agrees on http/1.1, and refuses a client that does not speak it") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  SecureClient client(host.http(), {.trusted = &setting.authority, .protocols = "\x02h2\x08http/1.1"});
  CHECK(client.protocol() == "http/1.1");
  CHECK_THROWS_WITH(SecureClient(host.http(), {.trusted = &setting.authority, .protocols = "\x02h2"}),
                    Contains("no application protocol"));
}

TEST_CASE("a client that speaks HTTP without TLS gets a response that says so") {
  const TlsSetting setting;
  const test::Host host(setting.config);
  test::Client client(host.http());
  const Answer answer = client.ask("GET", "/k");
  CHECK(answer.status == 400);
  CHECK_THAT(answer.body, Contains("\"message\":\"This listener speaks TLS: use https://\""));
  CHECK(client.ended());
}

TEST_CASE("a client that does not finish its handshake is closed after the idle time") {
  TlsSetting setting;
  setting.config.http.idle_timeout = 200;
  const test::Host host(setting.config);
  test::Client silent(host.http()), half(host.http());
  half.send("\x16\x03\x01\x02"); // the begin of a first record
  CHECK(silent.ended());
  CHECK(half.ended());
}

TEST_CASE("a connection over the limit gets its 503 through TLS") {
  TlsSetting setting;
  setting.config.http.max_connections = 1;
  const test::Host host(setting.config);
  SecureClient first(host.http(), {.trusted = &setting.authority});
  REQUIRE(first.ask("GET", "/k").status == 404);
  SecureClient second(host.http(), {.trusted = &setting.authority});
  CHECK(second.receive().status == 503);
}

TEST_CASE("a client's certificate has the rights of the token that names it") {
  TlsSetting setting(true);
  setting.config.http.tokens = {{.write = true, .bases = {"a"}, .certificate = "CN=writer"},
                                {.write = false, .certificate = "DNS:reader.example"},
                                {.value = "other", .write = true}};
  const test::Host host(setting.config);
  const auto connect = [&](const Authority::Pair &own) {
    return SecureClient(host.http(), {.trusted = &setting.authority, .own = own});
  };
  SecureClient writer = connect(setting.authority.pair("writer", ""));
  CHECK(writer.ask("PUT", "/a/k", "v").status == 200);
  CHECK(writer.ask("PUT", "/b/k", "v").status == 403);
  // A token that is sent counts in place of the certificate.
  CHECK(writer.ask("PUT", "/b/k", "v", test::bearer("other")).status == 200);
  CHECK(writer.ask("PUT", "/a/k", "v", test::bearer("wrong")).status == 401);

  SecureClient reader = connect(setting.authority.pair("somebody", "DNS:x.example,DNS:reader.example"));
  CHECK(reader.ask("GET", "/a/k").body == "v");
  CHECK(reader.ask("PUT", "/a/k", "w").status == 403);

  SecureClient longer = connect(setting.authority.pair("writer2", ""));
  CHECK(longer.ask("GET", "/a/k").status == 401);
  SecureClient unknown = connect(setting.authority.pair("unknown", "DNS:CN=writer"));
  CHECK(unknown.ask("GET", "/a/k").status == 401);
  SecureClient without = connect({});
  CHECK(without.ask("GET", "/a/k").status == 401);
}

TEST_CASE("a token that names a certificate needs authorities for the clients' certificates") {
  TlsSetting setting;
  setting.config.http.tokens = {{.write = true, .certificate = "CN=writer"}};
  CHECK_THROWS_WITH(test::Host(setting.config), Contains("CN=writer needs server.http.tls.clientCa"));
}

TEST_CASE("a client's certificate of another authority is refused") {
  TlsSetting setting(true);
  setting.config.http.tokens = {{.write = true, .certificate = "CN=writer"}};
  const test::Host host(setting.config);
  const Authority stranger;
  // With TLS 1.3 the client's handshake is over before the host has seen its certificate.
  const auto ask = [&] {
    SecureClient client(host.http(), {.trusted = &setting.authority, .own = stranger.pair("writer", "")});
    return client.ask("GET", "/k").status;
  };
  int status = 0;
  try {
    status = ask();
  } catch (const std::runtime_error &) {
  }
  CHECK(status == 0);
}

TEST_CASE("a listener that requires certificates serves nobody without one") {
  TlsSetting setting(true);
  setting.config.http.tls.require_client = true;
  const test::Host host(setting.config);
  SecureClient with(host.http(), {.trusted = &setting.authority, .own = setting.authority.pair("anybody", "")});
  CHECK(with.ask("PUT", "/k", "v").status == 200);
  int status = 0;
  try {
    SecureClient without(host.http(), {.trusted = &setting.authority});
    status = without.ask("GET", "/k").status;
  } catch (const std::runtime_error &) {
  }
  CHECK(status == 0);
}

TEST_CASE("new connections get the certificate that the files have by now") {
  const TlsSetting setting;
  test::Host host(setting.config);
  SecureClient old(host.http(), {.trusted = &setting.authority});
  const Authority::Pair fresh = setting.authority.pair("fresh", "IP:127.0.0.1");
  std::filesystem::rename(fresh.cert, setting.pair.cert);
  std::filesystem::rename(fresh.key, setting.pair.key);
  const test::LogLines log(test::LogLines::info);
  host.server.reload_files(setting.config);
  SecureClient now(host.http(), {.trusted = &setting.authority});
  CHECK(now.serial() != old.serial());
  CHECK(old.ask("GET", "/k").status == 404); // it stays open
  CHECK(log.has_match("server.http: new connections get the new certificate, which is valid until .* GMT"));
}

TEST_CASE("a listener keeps its certificate if the new files cannot be used") {
  const TlsSetting setting;
  test::Host host(setting.config);
  const long before = SecureClient(host.http(), {.trusted = &setting.authority}).serial();
  const Authority::Pair fresh = setting.authority.pair("fresh", "IP:127.0.0.1");
  std::filesystem::rename(fresh.cert, setting.pair.cert); // the key is still the old one
  const test::LogLines log(test::LogLines::info);
  host.server.reload_files(setting.config);
  CHECK(SecureClient(host.http(), {.trusted = &setting.authority}).serial() == before);
  CHECK(log.has_match(
      "server.http.tls.key: .*: it is not the key of the certificate .*; the listener goes on with what it had"));
}

TEST_CASE("a listener does not start without the files of its TLS") {
  TlsSetting setting;
  setting.config.http.tls.key = "/nowhere/host.key";
  CHECK_THROWS_WITH(test::Host(setting.config), "server.http.tls.key: /nowhere/host.key: No such file or directory");
}

TEST_CASE("a certificate that has ended is reported, and metrics say when each ends") {
  TlsSetting setting;
  const test::LogLines log(test::LogLines::info);
  const auto end_of = [](const test::Host &host) {
    const std::string text = test::Client(host.admin()).ask("GET", "/metrics").body;
    const std::string name = "\nomnistore_certificate_end_timestamp_seconds{listener=\"http\"} ";
    const std::size_t at = text.find(name);
    return at == text.npos ? 0 : std::stol(text.substr(at + name.size()));
  };
  const long now = std::time(nullptr);
  {
    test::Host host(setting.config);
    CHECK(end_of(host) >= now + 3590);
    CHECK(end_of(host) <= now + 3610);
    CHECK_FALSE(log.has_match("its validity ended"));
    const Authority::Pair ended = setting.authority.pair("ended", "IP:127.0.0.1", -60);
    std::filesystem::rename(ended.cert, setting.pair.cert);
    std::filesystem::rename(ended.key, setting.pair.key);
    host.server.reload_files(setting.config);
    CHECK(end_of(host) < now);
    CHECK(log.has_match("server.http.tls.certificate: its validity ended on .* GMT"));
  }
  const test::LogLines again(test::LogLines::info);
  const test::Host host(setting.config);
  CHECK(again.has_match("server.http.tls.certificate: its validity ended on .* GMT"));
}

TEST_CASE("the page's cookie never leaves TLS, and its link is one for https") {
  TlsSetting setting;
  setting.config.admin.tls = setting.config.http.tls;
  test::Host host(setting.config);
  const std::string link = host.server.page_link();
  const std::size_t code = link.find("/#code=");
  REQUIRE(link.substr(0, code) == "https://" + host.admin());
  SecureClient browser(host.admin(), {.trusted = &setting.authority});
  const std::string origin = "Host: " + host.admin() + "\r\nOrigin: https://" + host.admin() + "\r\n";
  const std::string body = "{\"code\": \"" + link.substr(code + 7) + "\"}";
  browser.send("POST /session HTTP/1.1\r\n" + origin + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body);
  const Answer logged_in = browser.receive();
  CHECK(logged_in.status == 200);
  const std::string cookie = logged_in.header("set-cookie");
  CHECK_THAT(cookie, Contains("; Secure"));
  browser.send("GET /session HTTP/1.1\r\n" + origin + "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n\r\n");
  CHECK_THAT(browser.receive().body, Contains("\"logged_in\":true"));
}
