// SPDX-License-Identifier: Apache-2.0
// The parts of a call that the driver passes to its server, and the parts of the response that it passes to its caller.
#include "driven.hpp"

using test::Call;
using test::Got;
using test::Origin;
using test::says;
using test::Store;

namespace {

constexpr const char *trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

omnistore_status get(Store &store, Call &call) {
  Got got;
  return store.get(call, "k", got);
}

omnistore_status set(Store &store, Call &call) { return store.bare.child().write(omnistore::Call(&call), "k", "v"); }

/// Responds so to every request.
void answer(Origin &origin, unsigned status, const std::string &retry_after) {
  origin.handle([=](const Origin::Request &) -> std::optional<Origin::Answer> {
    Origin::Answer made;
    made.status = status;
    if (!retry_after.empty()) made.headers.emplace_back("Retry-After", retry_after);
    return made;
  });
}

} // namespace

TEST_CASE("The client's trace is sent on to the server") {
  Origin origin;
  origin.serve("/k", "x");
  Store store(origin);
  Call call;
  call.caller.trace = omnistore::as_bytes(trace);
  CHECK(get(store, call) == OMNISTORE_OK);
  CHECK(origin.last().header("traceparent") == trace);
  Call plain;
  CHECK(get(store, plain) == OMNISTORE_OK);
  CHECK(origin.last().header("traceparent").empty());
}

TEST_CASE("The caller gets the server's Retry-After") {
  Origin origin;
  Store store(origin);
  for (const auto &[text, wanted] :
       {std::pair{"7", 7000}, {"0", 0}, {"", 0}, {"soon", 0}, {"-3", 0}, {"Sun, 06 Nov 1994 08:49:37 GMT", 0}}) {
    INFO(text);
    answer(origin, 503, text);
    Call call;
    CHECK(get(store, call) == OMNISTORE_UNAVAILABLE);
    CHECK(call.details[0].retry_after == wanted);
  }
}

TEST_CASE("A write that could not reach the server has done nothing") {
  std::string url;
  {
    Origin gone;
    url = gone.url();
  }
  Store store(url);
  Call call;
  CHECK(set(store, call) == OMNISTORE_UNAVAILABLE);
  CHECK(call.details[0].nothing_done);
}

TEST_CASE("A write that the server refused has done nothing, and one that failed there may have") {
  Origin origin;
  Store store(origin);
  for (const unsigned status : {400u, 401u, 403u, 405u, 413u, 429u, 408u, 500u, 503u, 504u}) {
    INFO(status);
    answer(origin, status, "");
    Call call;
    CHECK(set(store, call) != OMNISTORE_OK);
    CHECK(call.details[0].nothing_done == (status < 500 && status != 408));
  }
}

TEST_CASE("A write whose connection broke may have been done") {
  Origin origin;
  Store store(origin);
  origin.drop(2);
  Call call;
  CHECK(set(store, call) == OMNISTORE_UNAVAILABLE);
  CHECK_FALSE(call.details[0].nothing_done);
}

TEST_CASE("A call whose caller went away is cancelled, one whose time is up has timed out") {
  Origin origin;
  origin.serve("/k", "x");
  origin.hold("/k");
  Store store(origin);
  test::TimedCall call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  Got got;
  const bool gone = GENERATE(true, false);
  call.caller.gone = gone;
  CHECK(store.get(call, "k", got) == (gone ? OMNISTORE_CANCELLED : OMNISTORE_TIMEOUT));
  origin.release();
}

TEST_CASE("The driver is healthy while its server responds") {
  Origin origin;
  Store store(origin);
  const auto health = [&](omnistore_status &status) {
    const omnistore_store &raw = *store.bare.raw();
    const auto *table = static_cast<const omnistore_health *>(raw.driver->extension(raw.self, OMNISTORE_HEALTH));
    REQUIRE(table);
    Call call;
    status = table->health(raw.self, &call);
    return call.message();
  };
  omnistore_status status = OMNISTORE_INTERNAL;
  health(status);
  CHECK(status == OMNISTORE_OK); // 404: it responds
  answer(origin, 503, "");
  CHECK(says(health(status), "503"));
  CHECK(status == OMNISTORE_UNAVAILABLE);
  answer(origin, 401, "");
  health(status);
  CHECK(status == OMNISTORE_DENIED);
  origin.stop();
  health(status);
  CHECK(status == OMNISTORE_UNAVAILABLE);
}
