// SPDX-License-Identifier: Apache-2.0
// The parser of a host's event stream.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/failure.hpp>

#include "operations/event_stream.hpp"

namespace {

/// Reads a stream in pieces of one size.
std::vector<http::HostEvent> events_in(std::string_view text, std::size_t piece, std::string *last_id = nullptr) {
  std::vector<http::HostEvent> events;
  http::EventStream stream([&](const http::HostEvent &event) { events.push_back(event); });
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) stream.read(text.substr(0, piece));
  if (last_id) *last_id = stream.last_id();
  return events;
}

constexpr std::string_view STREAM = "id: 16\n\n"
                                    "event: limited\ndata: {\"message\":\"watch: not all\"}\n\n"
                                    ":\n\n"
                                    "id: 17\r\nevent: update\r\ndata: {\"key\":\"a/b\"}\r\n\r\n"
                                    "id: 18\nevent: remove\ndata: {\"key\":\"c\",\"cause\":\"expired\"}\n\n"
                                    "id: 19\nevent: from-a-later-host\ndata: {}\n\n"
                                    "id: 20\nevent: resync\ndata: {\"missed\":7}\n\n"
                                    "id: 21\nevent: resync\ndata: {\"missed\":null}\n\n";

} // namespace

TEST_CASE("A stream gives the same events whatever pieces it comes in") {
  const std::size_t piece = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{1000});
  std::string last_id;
  const std::vector<http::HostEvent> events = events_in(STREAM, piece, &last_id);
  REQUIRE(events.size() == 5);
  CHECK(events[0].type == OMNISTORE_EVENT_LIMITED);
  CHECK(events[0].key == "watch: not all");
  CHECK(events[1].type == OMNISTORE_EVENT_UPDATE);
  CHECK(events[1].key == "a:b");
  CHECK(events[2].type == OMNISTORE_EVENT_REMOVE);
  CHECK(events[2].cause == OMNISTORE_CAUSE_EXPIRED);
  CHECK(events[3].missed == 7);
  CHECK(events[4].type == OMNISTORE_EVENT_RESYNC);
  CHECK(events[4].missed == 0);
  CHECK(last_id == "21");
}

TEST_CASE("An event that a stream breaks off in is not reported, and the id stays for the next stream") {
  std::vector<http::HostEvent> events;
  http::EventStream stream([&](const http::HostEvent &event) { events.push_back(event); });
  stream.read("id: 4\n\nid: 5\nevent: update\ndata: {\"key\":\"a\"}\n");
  CHECK(stream.last_id() == "4"); // the host sends the event again
  stream.restart();
  stream.read("\nevent: update\ndata: {\"key\":\"b\"}\n\n");
  REQUIRE(events.size() == 1);
  CHECK(events[0].key == "b");
  CHECK(stream.last_id() == "4");
}

TEST_CASE("A response that is not a host's stream is refused") {
  for (const char *text : {"event: update\ndata: no JSON\n\n", "event: update\ndata: {}\n\n"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(events_in(text, 1000), omnistore::Failure);
  }
  CHECK_THROWS_AS(events_in(std::string(100'000, 'x'), 1000), omnistore::Failure);
}
