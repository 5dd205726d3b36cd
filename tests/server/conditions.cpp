// SPDX-License-Identifier: Apache-2.0
// ETag, Last-Modified and the conditions of RFC 9110 section 13.
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "gate.hpp"
#include "http/reply.hpp"

using test::Answer;
using test::Client;
using test::Host;

TEST_CASE("the etag of GET, HEAD and PUT is one, and changes with each write") {
  Host host;
  Client client(host.http());
  const std::string first = client.ask("PUT", "/a", "1").header("etag");
  REQUIRE(first.size() > 2);
  CHECK(first.front() == '"');
  CHECK(client.ask("GET", "/a").header("etag") == first);
  CHECK(client.ask("HEAD", "/a").header("etag") == first);
  CHECK(client.ask("PUT", "/a", "1").header("etag") != first);
}

TEST_CASE("a GET of a value that the client has already is 304") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  for (const std::string &list : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    INFO(list);
    const Answer same = client.ask("GET", "/a", {}, "If-None-Match: " + list + "\r\n");
    CHECK(same.status == 304);
    CHECK(same.header("etag") == etag);
    CHECK(same.body.empty());
    CHECK(client.ask("HEAD", "/a", {}, "If-None-Match: " + list + "\r\n").status == 304);
  }
  CHECK(client.ask("GET", "/a", {}, "If-None-Match: \"other\"\r\n").body == "1");
  CHECK(client.ask("GET", "/absent", {}, "If-None-Match: *\r\n").status == 404);
}

TEST_CASE("a PUT with If-None-Match: * stores only an absent value") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "first", "If-None-Match: *\r\n").status == 200);
  CHECK(client.ask("PUT", "/a", "second", "If-None-Match: *\r\n").status == 412);
  CHECK(host.storage.get("a") == "first");
}

TEST_CASE("a PUT with If-Match stores only over the value that it names") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "x", "If-Match: *\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "x", "If-Match: \"none\"\r\n").status == 412);
  CHECK_FALSE(host.storage.has("a"));
  const std::string first = client.ask("PUT", "/a", "1").header("etag");
  const std::string second = client.ask("PUT", "/a", "2", "If-Match: " + first + "\r\n").header("etag");
  CHECK(second.size() > 2);
  CHECK(client.ask("PUT", "/a", "3", "If-Match: " + first + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "4", "If-Match: W/" + second + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "5", "If-Match: \"other\", " + second + "\r\n").status == 200);
  CHECK(client.ask("PUT", "/a", "6", "If-Match: *\r\n").status == 200);
  CHECK(host.storage.get("a") == "6");
}

TEST_CASE("a PUT with If-None-Match and an etag stores over anything else") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  CHECK(client.ask("PUT", "/a", "2", "If-None-Match: " + etag + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "2", "If-None-Match: \"other\"\r\n").status == 200);
  CHECK(client.ask("PUT", "/b", "2", "If-None-Match: \"other\"\r\n").status == 200);
}

TEST_CASE("a DELETE with If-Match removes only the value that it names") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: \"other\"\r\n").status == 412);
  CHECK(client.ask("DELETE", "/a", {}, "If-None-Match: *\r\n").status == 412);
  CHECK(host.storage.has("a"));
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: " + etag + "\r\n").status == 200);
  CHECK_FALSE(host.storage.has("a"));
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: " + etag + "\r\n").status == 412);
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: *\r\n").status == 412);
}

TEST_CASE("a malformed condition is 400 and changes nothing") {
  Host host;
  Client client(host.http());
  for (const char *list : {"abc", "\"open", "\"a\" \"b\"", ""}) {
    CHECK(client.ask("PUT", "/a", "1", std::string("If-Match: ") + list + "\r\n").status == 400);
  }
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("none of many increments with If-Match is lost") {
  Host host;
  Client(host.http()).ask("PUT", "/n", "0");
  constexpr int writers = 4, rounds = 25;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      Client client(host.http());
      for (int done = 0; done < rounds;) {
        const Answer now = client.ask("GET", "/n");
        const std::string next = std::to_string(std::stoi(now.body) + 1);
        const int status = client.ask("PUT", "/n", next, "If-Match: " + now.header("etag") + "\r\n").status;
        if (status != 200 && status != 412) ++failures;
        if (status != 412) ++done;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(host.storage.get("n") == std::to_string(writers * rounds));
}

namespace {

/// A host with files at `files:`, whose dates the test sets.
class Files {
public:
  Files() : host(config(folder_)), client(host.http()) {}

  /// The date of the value's last change, in seconds before now.
  void changed(const std::string &name, std::chrono::seconds ago) {
    std::filesystem::last_write_time(folder_.path() / name, std::filesystem::file_time_type::clock::now() - ago);
  }
  /// The Last-Modified that the value would have if it had been changed so many seconds before its date.
  static std::string before(std::int64_t seconds) {
    omnistore::http::Buffer text;
    omnistore::http::append_date(text, std::time(nullptr) - seconds);
    return std::string(text.view());
  }

private:
  static omnistore::Config config(const test::Folder &folder) {
    omnistore::Config made = test::memory_config();
    made.mounts["files"].store.driver = "fs";
    made.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
    return made;
  }
  test::Folder folder_;

public:
  Host host;
  Client client;
};

} // namespace

TEST_CASE("A GET or HEAD with If-Modified-Since is 304 if the value is not newer") {
  Files files;
  files.client.ask("PUT", "/files/a", "1");
  files.changed("a", std::chrono::seconds(100));
  const std::string date = files.client.ask("HEAD", "/files/a").header("last-modified");
  REQUIRE_FALSE(date.empty());
  for (const char *method : {"GET", "HEAD"}) {
    const auto status = [&](const std::string &headers) {
      return files.client.ask(method, "/files/a", {}, headers).status;
    };
    CHECK(status("If-Modified-Since: " + date + "\r\n") == 304);
    CHECK(status("If-Modified-Since: " + Files::before(50) + "\r\n") == 304);
    CHECK(status("If-Modified-Since: " + Files::before(200) + "\r\n") == 200);
    // RFC 9110 section 13.1.3: these are to be ignored.
    CHECK(status("If-Modified-Since: yesterday\r\n") == 200);
    CHECK(status("If-None-Match: \"x\"\r\nIf-Modified-Since: " + date + "\r\n") == 200);
  }
  CHECK(files.client.ask("GET", "/files/none", {}, "If-Modified-Since: " + date + "\r\n").status == 404);
  CHECK(files.client.ask("PUT", "/files/a", "2", "If-Modified-Since: " + Files::before(0) + "\r\n").status == 200);
}

TEST_CASE("A write with If-Unmodified-Since goes ahead only if the value is not newer") {
  Files files;
  files.client.ask("PUT", "/files/a", "1");
  files.changed("a", std::chrono::seconds(100));
  const auto status = [&](const char *method, const char *target, const std::string &date) {
    const std::string more = std::string(method) == "PATCH" ? "X-Ttl: 60\r\n" : "";
    return files.client
        .ask(method, target, std::string(method) == "PUT" ? "2" : "", "If-Unmodified-Since: " + date + "\r\n" + more)
        .status;
  };
  for (const char *method : {"PUT", "DELETE", "PATCH", "GET", "HEAD"}) {
    INFO(method);
    CHECK(status(method, "/files/a", Files::before(200)) == 412);
    CHECK(status(method, "/files/a", "no date") == 400);
    CHECK(status(method, "/files/a", "") == 400);
  }
  CHECK(status("PUT", "/files/none", Files::before(0)) == 412);
  CHECK(status("DELETE", "/files/none", Files::before(0)) == 412);
  CHECK(files.host.storage.get("files:a") == "1");
  const std::string date = files.client.ask("HEAD", "/files/a").header("last-modified");
  CHECK(status("GET", "/files/a", date) == 200);
  CHECK(status("PUT", "/files/a", date) == 200);
  CHECK(files.host.storage.get("files:a") == "2");
  CHECK(status("PUT", "/files/a", date) == 412); // it has another date now
  files.changed("a", std::chrono::seconds(100));
  CHECK(status("DELETE", "/files/a", Files::before(50)) == 200);
  CHECK_FALSE(files.host.storage.has("files:a"));
}

TEST_CASE("If-Match counts, and not If-Unmodified-Since beside it") {
  Files files;
  const std::string etag = files.client.ask("PUT", "/files/a", "1").header("etag");
  const std::string old = "If-Unmodified-Since: " + Files::before(200) + "\r\n";
  CHECK(files.client.ask("PUT", "/files/a", "2", "If-Match: \"x\"\r\n" + old).status == 412);
  CHECK(files.client.ask("PUT", "/files/a", "2", "If-Match: " + etag + "\r\n" + old).status == 200);
}

TEST_CASE("A value that was changed within this second is not taken for the same by its date") {
  Files files;
  // The date of the file is set ahead, so that the second is not over while the test runs.
  files.client.ask("PUT", "/files/a", "1");
  files.changed("a", std::chrono::seconds(-100));
  const std::string date = files.client.ask("HEAD", "/files/a").header("last-modified");
  CHECK(files.client.ask("GET", "/files/a", {}, "If-Modified-Since: " + date + "\r\n").status == 200);
  CHECK(files.client.ask("PUT", "/files/a", "2", "If-Unmodified-Since: " + date + "\r\n").status == 412);
  CHECK(files.client.ask("GET", "/files/a", {}, "Range: bytes=0-0\r\nIf-Range: " + date + "\r\n").status == 200);
}

TEST_CASE("With a date in If-Range the range holds only for the value of that date") {
  Files files;
  files.client.ask("PUT", "/files/a", "0123456789");
  files.changed("a", std::chrono::seconds(100));
  const std::string date = files.client.ask("HEAD", "/files/a").header("last-modified");
  const auto status = [&](const std::string &condition) {
    return files.client.ask("GET", "/files/a", {}, "Range: bytes=0-1\r\nIf-Range: " + condition + "\r\n").status;
  };
  CHECK(status(date) == 206);
  CHECK(status(Files::before(50)) == 200);
  CHECK(status(Files::before(200)) == 200);
  CHECK(status("no date") == 200);
  const std::string etag = files.client.ask("HEAD", "/files/a").header("etag");
  CHECK(status(etag) == 206);
  CHECK(status("W/" + etag) == 200);
  CHECK(status("\"x\", " + etag) == 200);
}

TEST_CASE("A ttl under a condition that holds keeps the value and its meta, and is else refused") {
  Files files;
  Client &client = files.client;
  for (const std::string target : {"/a", "/files/a"}) {
    INFO(target);
    const std::string key = target == "/a" ? "a" : "files:a";
    client.ask("PUT", target, "1", "X-User-Meta: bWV0YQ==\r\n");
    const std::string etag = client.ask("HEAD", target).header("etag");
    const auto status = [&](const std::string &headers, const char *ttl = "100") {
      return client.ask("PATCH", target, {}, std::string("X-Ttl: ") + ttl + "\r\n" + headers).status;
    };
    CHECK(status("If-Match: \"stale\"\r\n") == 412);
    CHECK(status("If-None-Match: *\r\n") == 412);
    CHECK(status("If-None-Match: " + etag + "\r\n") == 412);
    CHECK(status("If-Match: a\r\n") == 400);
    CHECK(files.host.storage.meta(key)->expiry == 0);
    CHECK(status("If-Match: " + etag + "\r\n") == 200);
    CHECK(files.host.storage.meta(key)->expiry != 0);
    CHECK(status("If-Match: *\r\n", "0") == 200);
    CHECK(files.host.storage.meta(key)->expiry == 0);
    CHECK(status("If-None-Match: \"other\"\r\n") == 200);
    CHECK(files.host.storage.meta(key)->expiry != 0);
    const Answer answer = client.ask("GET", target, {}, "X-User-Meta: ?\r\n");
    CHECK(answer.body == "1");
    CHECK(answer.header("x-user-meta") == "bWV0YQ==");
    CHECK(client.ask("PATCH", "/none", {}, "X-Ttl: 1\r\nIf-Match: " + etag + "\r\n").status == 404);
  }
}

TEST_CASE("A ttl under a condition goes to the value that was judged, and never to one that was set since") {
  Host host;
  host.storage.set("a", "0");
  std::atomic<bool> ends{false};
  std::thread writer([&] {
    for (int i = 1; !ends; ++i) host.storage.set("a", std::to_string(i));
  });
  Client client(host.http());
  for (int i = 0; i < 300; ++i) {
    const Answer seen = client.ask("GET", "/a");
    const int status = client.ask("PATCH", "/a", {}, "X-Ttl: 100\r\nIf-Match: " + seen.header("etag") + "\r\n").status;
    CHECK((status == 200 || status == 412 || status == 503));
    omnistore::GetOptions with_meta;
    with_meta.meta = true;
    const auto now = host.storage.entry("a", with_meta);
    if (now->meta.expiry != 0) CHECK(now->value == seen.body);
  }
  ends = true;
  writer.join();
}

TEST_CASE("A page without etag and date refuses conditions") {
  Host host;
  host.storage.set("b:1", "v");
  Client client(host.http());
  Client admin(host.admin());
  const std::string batch = R"({"set": [{"key": "2", "value": "v"}]})";
  const std::string mount = R"({"driver": "memory"})";
  const std::pair<std::string, int> conditions[] = {
      {"If-Match: \"stale\"", 412}, {"If-Match: *", 501},
      {"If-None-Match: *", 501},    {"If-Unmodified-Since: " + Files::before(0), 501},
      {"If-Match: stale", 400},     {"If-Unmodified-Since: now", 400},
  };
  for (const auto &[condition, status] : conditions) {
    INFO(condition);
    const std::string line = condition + "\r\n";
    CHECK(client.ask("DELETE", "/b/", {}, line).status == status);
    CHECK(client.ask("GET", "/b/", {}, line).status == status);
    CHECK(client.ask("POST", "/b/", batch, line).status == status);
    CHECK(client.ask("GET", "/b/", {}, line + "Accept: text/event-stream\r\n").status == status);
    CHECK(client.ask("GET", "/b/1", {}, line + "Accept: text/event-stream\r\n").status == status);
    CHECK(admin.ask("PUT", "/mounts/m", mount, line).status == status);
    CHECK(admin.ask("DELETE", "/mounts/m", {}, line).status == status);
    CHECK(admin.ask("GET", "/stats", {}, line).status == status);
  }
  CHECK(client.ask("DELETE", "/b/", {}, "If-None-Match: \"x\"\r\n").status == 501);
  CHECK(client.ask("GET", "/b/", {}, "If-None-Match: \"x\"\r\n").status == 200); // no etag is that one
  CHECK(client.ask("GET", "/b/", {}, "If-Modified-Since: " + Files::before(0) + "\r\n").status == 200);
  CHECK(host.storage.keys().all() == std::vector<std::string>{"b:1"});
  CHECK(host.storage.mounts().size() == 1);
}

TEST_CASE("A condition on a date that the store does not keep is 501") {
  test::Gate gate;
  gate.open();
  Host host(gate.config());
  Client client(host.http());
  const std::string line = "If-Unmodified-Since: " + Files::before(0) + "\r\n";
  CHECK(client.ask("PUT", "/slow/free", "v", line).status == 501);
  CHECK(client.ask("DELETE", "/slow/free", {}, line).status == 501);
  CHECK(client.ask("GET", "/slow/free", {}, line).status == 501);
  CHECK(client.ask("GET", "/slow/free", {}, "If-Modified-Since: " + Files::before(0) + "\r\n").status == 200);
}

TEST_CASE("None of many increments with If-Match on several lines or in a list is lost") {
  Files files;
  files.client.ask("PUT", "/files/n", "0");
  constexpr int writers = 4, rounds = 10;
  std::vector<std::thread> threads;
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      Client client(files.host.http());
      for (int done = 0; done < rounds;) {
        const Answer now = client.ask("GET", "/files/n");
        const std::string next = std::to_string(std::stoi(now.body) + 1);
        const std::string condition = "If-Match: \"other\"\r\nIf-Match: " + now.header("etag") + "\r\n";
        if (client.ask("PUT", "/files/n", next, condition).status == 200) ++done;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(files.host.storage.get("files:n") == std::to_string(writers * rounds));
}
