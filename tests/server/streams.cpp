// SPDX-License-Identifier: Apache-2.0
// Values that are longer than memory should hold, in and out of a folder of files.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include <catch2/catch.hpp>

#include "host.hpp"
#include "support/temporary.hpp"

using test::Answer;
using test::Client;

namespace {

constexpr std::size_t MiB = 1024 * 1024;

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * i / 7) % 26);
  return text;
}

/// A host with files at the root.
struct Files {
  test::Folder folder;
  std::unique_ptr<test::Host> host;

  explicit Files(const std::function<void(omnistore::Config &)> &change = {}) {
    omnistore::Config config = test::memory_config();
    config.mounts[""].store.driver = "fs";
    config.mounts[""].store.options = R"({"base": ")" + (folder / "data") + "\"}";
    config.mounts["mem"].store.driver = "memory";
    if (change) change(config);
    host = std::make_unique<test::Host>(config);
  }
  std::string address() const { return host->http(); }
  /// The names of all files, once nothing works for a client any more.
  std::set<std::string> files() {
    host.reset();
    std::set<std::string> names;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder / "data"))
      if (entry.is_regular_file()) names.insert(entry.path().filename());
    return names;
  }
};

std::string head(const std::string &target, const std::string &framing, const std::string &more = {}) {
  return "PUT " + target + " HTTP/1.1\r\nHost: localhost\r\n" + framing + "\r\n" + more + "\r\n";
}

std::string chunk(std::string_view text) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + std::string(text) + "\r\n";
}

std::string framing_of(bool chunked, std::size_t size) {
  return chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + std::to_string(size);
}

} // namespace

TEST_CASE("a long value comes out unchanged, with a length or in chunks, and the connection stays usable") {
  Files files;
  Client client(files.address());
  const std::string value = pattern(5 * MiB + 123);
  CHECK(client.ask("PUT", "/whole", value).status == 200);
  client.send(head("/pieces", framing_of(true, 0)));
  for (std::size_t at = 0; at < value.size(); at += 300'000) client.send(chunk(value.substr(at, 300'000)));
  client.send("0\r\n\r\n");
  CHECK(client.receive().status == 200);
  CHECK((client.ask("GET", "/whole").body == value));
  CHECK((client.ask("GET", "/pieces").body == value));
  CHECK((files.host->storage.get("pieces") == value));
}

TEST_CASE("requests right after a long body or a long response get responses in order") {
  Files files;
  Client client(files.address());
  const std::string value = pattern(3 * MiB);
  std::string all = head("/long", framing_of(true, 0)) + chunk(value) + "0\r\n\r\n";
  all += test::request("GET", "/long") + test::request("PUT", "/short", "x") + test::request("GET", "/short");
  client.send(all);
  CHECK(client.receive().status == 200);
  CHECK((client.receive().body == value));
  CHECK(client.receive().status == 200);
  CHECK(client.receive().body == "x");
}

TEST_CASE("a long value may be longer than maxBody if its store takes it in pieces, and nowhere else") {
  Files files([](omnistore::Config &config) {
    config.http.max_body = 2 * MiB;
    config.http.max_stream = 6 * MiB;
  });
  Client client(files.address());
  CHECK(client.ask("PUT", "/fits", pattern(5 * MiB)).status == 200);
  Client memory(files.address());
  memory.send(head("/mem/a", framing_of(false, 5 * MiB)));
  CHECK(memory.receive().status == 413);
  client.send(head("/long", framing_of(false, 7 * MiB)));
  CHECK(client.receive().status == 413);
  Client chunked(files.address());
  chunked.send(head("/long", framing_of(true, 0)));
  for (int i = 0; i < 8; ++i) chunked.send(chunk(pattern(MiB)));
  CHECK(chunked.receive().status == 413);
  CHECK_FALSE(files.host->storage.has("long"));
  CHECK(files.files() == std::set<std::string>{"fits"});
}

TEST_CASE("a stream that breaks off half way leaves the old value and no temporary file") {
  Files files;
  const bool chunked = GENERATE(false, true);
  const bool has_old = GENERATE(false, true);
  if (has_old) files.host->storage.set("k", "old");
  {
    Client client(files.address());
    client.send(head("/k", framing_of(chunked, 8 * MiB)));
    const std::string half = pattern(4 * MiB);
    client.send(chunked ? chunk(half) : half);
    client.finish();
    CHECK(client.receive().status == 0);
  }
  CHECK(files.files() == (has_old ? std::set<std::string>{"k"} : std::set<std::string>{}));
  if (has_old) CHECK((test::read_file(files.folder / "data/k") == "old"));
}

TEST_CASE("a long body that does not come in time is 408 and leaves the old value") {
  Files files([](omnistore::Config &config) { config.http.idle_timeout = 100; });
  files.host->storage.set("k", "old");
  Client client(files.address());
  client.send(head("/k", framing_of(GENERATE(false, true), 3 * MiB)));
  client.send(chunk(pattern(2 * MiB)));
  CHECK(client.receive().status == 408);
  CHECK(client.ended());
  CHECK(files.files() == std::set<std::string>{"k"});
  CHECK((test::read_file(files.folder / "data/k") == "old"));
}

TEST_CASE("malformed chunks in a long body are 400 and leave the old value") {
  Files files;
  files.host->storage.set("k", "old");
  Client client(files.address());
  client.send(head("/k", framing_of(true, 0)) + chunk(pattern(2 * MiB)) + "no chunk\r\n");
  CHECK(client.receive().status == 400);
  CHECK(files.host->storage.get("k") == "old");
}

TEST_CASE("a long body that the store does not want has its response before all of it has come") {
  Files files([](omnistore::Config &config) { config.mounts[""].read_only = true; });
  Client client(files.address());
  client.send(head("/k", framing_of(false, std::size_t{1} << 33)) + pattern(2 * MiB));
  CHECK(client.receive().status == 405);
}

TEST_CASE("a long body keeps its conditions, ttl and etag") {
  Files files;
  Client client(files.address());
  const std::string value = pattern(2 * MiB);
  const Answer first = client.ask("PUT", "/k", value, "If-None-Match: *\r\nX-Ttl: 3600\r\n");
  CHECK(first.status == 200);
  const Answer again = client.ask("PUT", "/k", value, "If-None-Match: *\r\n");
  CHECK(again.status == 412);
  const Answer got = client.ask("GET", "/k");
  CHECK(got.header("etag") == first.header("etag"));
  CHECK(std::stoi(got.header("x-ttl")) == Approx(3500).margin(100)); // the requests take time too
}

TEST_CASE("a client that sends Expect before a long body gets 100") {
  Files files;
  Client client(files.address());
  client.send(head("/k", framing_of(false, 2 * MiB), "Expect: 100-continue\r\n"));
  CHECK(client.head().status == 100);
  client.send(pattern(2 * MiB));
  CHECK(client.receive().status == 200);
}

TEST_CASE("ranges of a long value are right, long ones and short ones") {
  Files files;
  const std::string value = pattern(6 * MiB);
  files.host->storage.set("k", value);
  Client client(files.address());
  const auto part = [&](const std::string &range) {
    return client.ask("GET", "/k", {}, "Range: bytes=" + range + "\r\n");
  };
  CHECK((part("100-199").body == value.substr(100, 100)));
  const Answer tail = part("1000-");
  CHECK(tail.status == 206);
  CHECK((tail.body == value.substr(1000)));
  CHECK(tail.header("content-range") == "bytes 1000-6291455/6291456");
  CHECK((part("-3145728").body == value.substr(3 * MiB)));
  const std::string etag = client.ask("HEAD", "/k").header("etag");
  CHECK(client.ask("GET", "/k", {}, "If-None-Match: " + etag + "\r\n").status == 304);
  CHECK((client.ask("GET", "/k", {}, "If-Match: " + etag + "\r\n").body == value));
}

TEST_CASE("a client that goes away in the middle of a long value ends the read, and others are served") {
  Files files([](omnistore::Config &config) { config.http.threads = 1; });
  files.host->storage.set("k", pattern(16 * MiB));
  for (int i = 0; i < 40; ++i) { // more than the threads that a store's streams may have
    Client client(files.address());
    client.hold_back(4096);
    client.send(test::request("GET", "/k"));
    CHECK(client.head().status == 200);
  }
  Client client(files.address());
  CHECK(client.ask("GET", "/k").body.size() == 16 * MiB);
}

TEST_CASE("clients that read a long value slowly do not delay short requests to the same store") {
  Files files;
  files.host->storage.set("k", pattern(16 * MiB));
  files.host->storage.set("short", "x");
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 16; ++i) {
    slow.push_back(std::make_unique<Client>(files.address()));
    slow.back()->hold_back(4096);
    slow.back()->send(test::request("GET", "/k"));
    CHECK(slow.back()->head().status == 200);
  }
  Client client(files.address());
  CHECK(client.ask("GET", "/short").body == "x");
  CHECK(client.ask("PUT", "/other", "y").status == 200);
}

TEST_CASE("slow clients delay nobody in a store that takes one call at a time") {
  const Files files([](omnistore::Config &config) {
    config.mounts[""].store.driver = "bare";
    config.mounts[""].store.options = "{}";
    config.http.max_body = 64 * MiB;
  });
  files.host->storage.set("k", pattern(16 * MiB));
  files.host->storage.set("small", "x");
  Client reader(files.address()), writer(files.address()), client(files.address());
  reader.hold_back(4096);
  reader.send(test::request("GET", "/k"));
  CHECK(reader.head().status == 200);
  writer.send(head("/long", framing_of(false, 4 * MiB)) + pattern(2 * MiB));
  CHECK(client.ask("GET", "/small").body == "x");
  CHECK(client.ask("PUT", "/other", "y").status == 200);
}

TEST_CASE("clients that send a long value slowly do not delay short requests to the same store") {
  Files files;
  files.host->storage.set("short", "x");
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Client>(files.address()));
    slow.back()->send(head("/long" + std::to_string(i), framing_of(false, 4 * MiB)) + pattern(2 * MiB));
  }
  Client client(files.address());
  CHECK(client.ask("GET", "/short").body == "x");
  CHECK(client.ask("PUT", "/other", "y").status == 200);
}

TEST_CASE("a long value whose file is replaced while it goes out comes as it was") {
  Files files;
  const std::string value = pattern(16 * MiB);
  files.host->storage.set("k", value);
  Client client(files.address());
  client.hold_back(65536);
  client.send(test::request("GET", "/k"));
  const Answer begun = client.head();
  CHECK(begun.status == 200);
  files.host->storage.set("k", std::string(16 * MiB, 'n'));
  CHECK((client.take_all(value.size()) == value));
}
