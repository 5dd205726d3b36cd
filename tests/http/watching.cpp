// SPDX-License-Identifier: Apache-2.0
// A watch of a host through the driver: the events, and what becomes of it when the connection or the host goes away.
#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <omnistore/testing.hpp>

#include "cli/program.hpp"
#include "support/origin.hpp"
#include "watched.hpp"

using test::HeardEvent;
using test::Origin;
using test::Watched;
using Events = std::vector<HeardEvent>;

namespace {

omnistore::testing::BareStore store_at(const std::string &url, const std::string &more = "") {
  return omnistore::testing::BareStore(test::http_plugin(),
                                       R"({"omnistore": true, "base": ")" + url + "\"" + more + "}");
}

std::string config_in(const test::Folder &folder, const std::string &listen = "127.0.0.1:0") {
  test::write_file(folder / "omnistore.json",
                   R"({ "mounts": { "": { "driver": "memory" }, "deep": { "driver": "memory" } },
      "server": { "http": { "listen": ")" +
                       listen + R"(" } }, "admin": { "listen": "127.0.0.1:0" } })");
  return folder / "omnistore.json";
}

/// A scripted stream of events.
Origin::Answer stream_of(const std::string &events) {
  Origin::Answer answer;
  answer.headers = {{"Content-Type", "text/event-stream"}};
  answer.body = events;
  answer.chunked = true;
  return answer;
}

/// Begins a watch that is expected to fail.
std::pair<omnistore_status, std::string> refusal(omnistore::testing::BareStore &store, std::int64_t left = INT64_MAX) {
  struct Deaf : omnistore_watcher {
    Deaf() : omnistore_watcher{sizeof(omnistore_watcher), 0, &event_} {}
    static void OMNISTORE_CALL event_(omnistore_watcher *, const omnistore_event *) noexcept {}
  } watcher;
  const omnistore_watch_request request{sizeof request, 0, {}};
  omnistore::testing::BareCall call;
  call.left = left;
  void *watch = nullptr;
  const omnistore_status status = store.child().watch(omnistore::Call(&call), request, watcher, &watch);
  if (status == OMNISTORE_OK) store.child().unwatch(watch);
  return {status, call.message()};
}

} // namespace

TEST_CASE("A watch reports the changes of this store and of others, with the cause") {
  const test::Folder folder;
  const test::Host host(config_in(folder));
  omnistore::testing::BareStore store = store_at(host.url);
  Watched watched(store, "a:");
  store.set("a:own", "x");
  REQUIRE(test::omnistore({"--url", host.url, "set", "a:other", "x"}).code == 0);
  store.set("elsewhere", "x");
  store.remove("a:own");
  REQUIRE(test::omnistore({"--url", host.url, "clear", "-y", "a"}).code == 0);
  CHECK(watched.next(4) == Events{test::update("a:own"), test::update("a:other"), test::removal("a:own"),
                                  test::removal("a:other", OMNISTORE_CAUSE_CLEARED)});
}

TEST_CASE("A watch below the host's root reports the keys of its store") {
  const test::Folder folder;
  const test::Host host(config_in(folder));
  omnistore::testing::BareStore store = store_at(host.url + "/deep/er");
  Watched watched(store, "b:");
  store.set("b:1", "x");
  CHECK(watched.next() == Events{test::update("b:1")});
}

TEST_CASE("A watch of a host that is started again resyncs, and continues") {
  const test::Folder folder;
  auto host = std::make_unique<test::Host>(config_in(folder));
  const std::string url = host->url;
  omnistore::testing::BareStore store = store_at(url);
  Watched watched(store);
  store.set("before", "x");
  CHECK(watched.next() == Events{test::update("before")});
  host->stop();
  host = std::make_unique<test::Host>(config_in(folder, url.substr(7)));
  CHECK(watched.next() == Events{test::resync()});
  store.set("after", "x");
  CHECK(watched.next() == Events{test::update("after")});
  watched.end();
  REQUIRE_FALSE(store.host().lines.empty());
  CHECK(test::says(store.host().lines[0], "the host ended the stream of events; trying again in 250ms"));
}

TEST_CASE("A watch whose connection is cut resumes after the last event, and reports none twice") {
  Origin origin;
  std::size_t streams = 0;
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of("id: 8\nevent: update\ndata: {\"key\":\"second\"}\n\n");
    if (streams++ == 0) {
      answer = stream_of("id: 7\nevent: update\ndata: {\"key\":\"first\"}\n\nid: 8\nevent: update\ndata: {\"ke");
      answer.cut = answer.body.size();
    } else {
      answer.pause = answer.body.size(); // it stays open
      CHECK(request.header("last-event-id") == "7");
    }
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  CHECK(watched.next(2) == Events{test::update("first"), test::update("second")});
  watched.end();
}

TEST_CASE("A watch that cannot resume resyncs after a cut") {
  Origin origin;
  std::size_t streams = 0;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of(":\n\n"); // a stream without an id
    if (streams++ == 0)
      answer.cut = answer.body.size();
    else
      answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  CHECK(watched.next() == Events{test::resync()});
  watched.end();
}

TEST_CASE("A resync of the host says how many events were lost") {
  Origin origin;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of("id: 9\nevent: resync\ndata: {\"missed\":12}\n\n");
    answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  CHECK(watched.next() == Events{test::resync(12)});
  watched.end();
}

TEST_CASE("A limit of the host's is reported once, however often the stream begins") {
  Origin origin;
  std::size_t streams = 0;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    const std::string limit = "id: 1\n\nevent: limited\ndata: {\"message\":\"not all\"}\n\n";
    Origin::Answer answer =
        stream_of(limit + "id: 2\nevent: update\ndata: {\"key\":\"k" + std::to_string(streams) + "\"}\n\n");
    if (streams++ == 0)
      answer.cut = answer.body.size();
    else
      answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  CHECK(watched.next(3) ==
        Events{{OMNISTORE_EVENT_LIMITED, OMNISTORE_CAUSE_NONE, "not all", 0}, test::update("k0"), test::update("k1")});
  watched.end();
}

TEST_CASE("A watch ends at once although its host is silent") {
  Origin origin;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of(":\n\n");
    answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  const auto before = std::chrono::steady_clock::now();
  watched.end();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
}

TEST_CASE("A watch ends at once although its host is away") {
  Origin origin;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of(":\n\n");
    answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url());
  Watched watched(store);
  origin.stop();
  const auto before = std::chrono::steady_clock::now();
  watched.end();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
}

TEST_CASE("A watch that begins keeps the deadline of its call, and ends if the caller goes away") {
  Origin origin;
  origin.hold();
  omnistore::testing::BareStore store = store_at(origin.url());
  CHECK(refusal(store, 0).first == OMNISTORE_TIMEOUT);
  omnistore::testing::BareStore brief = store_at(origin.url(), R"(, "timeout": 50)");
  CHECK(refusal(brief).first == OMNISTORE_TIMEOUT);
  origin.release();
}

TEST_CASE("A stream in which nothing comes for the idle time is opened again") {
  Origin origin;
  origin.handle([&](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer answer = stream_of("id: 1\n\n");
    answer.pause = answer.body.size();
    return answer;
  });
  omnistore::testing::BareStore store = store_at(origin.url(), R"(, "idleTimeout": 20)");
  Watched watched(store);
  CHECK(origin.await(2));
  watched.end();
}

TEST_CASE("A host that refuses a watch is named with its reason") {
  Origin origin;
  omnistore::testing::BareStore store = store_at(origin.url());
  SECTION("by a status") {
    origin.handle([](const Origin::Request &) -> std::optional<Origin::Answer> {
      Origin::Answer answer;
      answer.status = 503;
      answer.body = R"({"message":"too many streams"})";
      return answer;
    });
    const auto [status, message] = refusal(store);
    CHECK(status == OMNISTORE_UNAVAILABLE);
    CHECK(test::says(message, "with 503 Scripted: too many streams"));
  }
  SECTION("by a listing") {
    const auto [status, message] = refusal(store);
    CHECK(status == OMNISTORE_UNSUPPORTED);
    CHECK(test::says(message, "does not report changes"));
  }
  SECTION("by being away") {
    origin.stop();
    const auto [status, message] = refusal(store);
    CHECK(status == OMNISTORE_UNAVAILABLE);
    CHECK(test::says(message, "Connection refused"));
  }
}

TEST_CASE("A server that is not known to be a host gets no request to report changes") {
  Origin origin;
  omnistore::testing::BareStore store(test::http_plugin(), R"({"base": ")" + origin.url() + "\"}");
  CHECK(refusal(store).first == OMNISTORE_UNSUPPORTED);
  CHECK(origin.count() == 0);
}
