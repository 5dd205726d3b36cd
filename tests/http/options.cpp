// SPDX-License-Identifier: Apache-2.0
// The options of a store, and its traits.
#include "driven.hpp"

using test::Got;
using test::Origin;
using test::says;
using test::StatusError;
using test::Store;

namespace {

/// Why a store does not open; empty: it does.
std::string refusal(const std::string &base, const std::string &more = "") {
  try {
    Store store(base, more);
    return {};
  } catch (const StatusError &refused) {
    CHECK(refused.status == OMNISTORE_INVALID);
    return refused.what();
  }
}

} // namespace

TEST_CASE("A base that is no URL is refused with the remedy") {
  CHECK(says(refusal("ftp://example.org/"), "http and https only; expected http[s]://host"));
  CHECK(says(refusal("example.org"), "option base: it is not a url"));
  CHECK(says(refusal(""), "it is not a url"));
  CHECK(says(refusal("http://"), "it is not a url"));
  CHECK(says(refusal("http://example.org:99999/"), "it is not a url"));
  CHECK(says(refusal("http://example.org/a b"), "it is not a url"));
  CHECK(says(refusal("http://example.org/?token=hidden"), "a query"));
  CHECK(says(refusal("http://example.org/#part"), "a fragment"));
  CHECK_FALSE(says(refusal("http://user:hidden@example.org/?q=1"), "hidden"));
  CHECK_FALSE(says(refusal("gopher://user:hidden@example.org/"), "hidden"));
  CHECK(refusal("HTTP://example.org").empty());
  CHECK(refusal("https://user:word@[::1]:8443/path/").empty());
}

TEST_CASE("Headers that cannot be sent are refused, without their values") {
  const std::string base = "http://example.org";
  CHECK(says(refusal(base, R"("headers":{"X-A":"hidden\r\nX-B: 1"})"), "the value of X-A has a line end"));
  CHECK_FALSE(says(refusal(base, R"("headers":{"X-A":"hidden\n"})"), "hidden"));
  CHECK(says(refusal(base, R"("headers":{"a b":"hidden"})"), "option headers: the name of a header"));
  CHECK(says(refusal(base, R"("headers":{"range":"bytes=0-"})"), "range is set by the driver"));
  CHECK(says(refusal(base, R"("headers":{"X-A":1})"), "expected an object of strings"));
}

TEST_CASE("The options' headers go with every request and stand over the driver's own") {
  Origin origin;
  origin.serve("/k", "x");
  Store store(origin, R"("headers":{"X-Tenant":"seven","accept":"text/plain","X-Empty":""})");
  Got got;
  store.get("k", got);
  store.stat("k", got);
  store.set("k", "y");
  store.remove("k");
  store.bare.keys();
  CHECK(origin.count() == 6);
  for (const Origin::Request &each : origin.requests()) {
    CAPTURE(each.method);
    CHECK(each.header("x-tenant") == "seven");
    CHECK(each.header("accept") == "text/plain");
    CHECK(each.headers.contains("x-empty"));
  }
}

TEST_CASE("A store opens even if its server is away") {
  Origin origin;
  origin.stop();
  CHECK(refusal(origin.url()).empty());
}

TEST_CASE("A path's own slashes at the end change nothing") {
  Origin origin;
  origin.serve("/p/k", "x");
  for (const char *base : {"/p", "/p/", "/p//"}) CHECK(Store(origin.url(base)).bare.get("k") == "x");
}

TEST_CASE("No condition of a write is claimed, since a server may ignore it") {
  Origin origin;
  Store store(origin);
  const omnistore_traits &traits = store.bare.traits();
  CHECK(traits.thread_model == OMNISTORE_PARALLEL);
  CHECK(traits.capabilities ==
        (OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG |
         OMNISTORE_CAN_RANGE |
         OMNISTORE_CAN_STREAM)); // a ttl is refused unless the options say that the server keeps it
  CHECK(traits.order == OMNISTORE_ORDER_NONE);
}
