// SPDX-License-Identifier: Apache-2.0
// The refusals of a server, in words that say what to do, and the requests that are sent again.
#include <atomic>
#include <optional>
#include <string>

#include "driven.hpp"

namespace {

using test::Origin;

/// The message of an open that the server refuses.
std::string refusal(const Origin::Answer &answer, omnistore_status status) {
  test::Host host;
  Origin origin;
  origin.handle([&](const Origin::Request &) { return answer; });
  try {
    test::Store store(host, origin);
  } catch (const test::StatusError &error) {
    CHECK(error.status == status);
    return error.what();
  }
  return "it opened";
}

} // namespace

TEST_CASE("a missing bucket fails the open and is named") {
  CHECK_THAT(refusal(test::error(404, "NoSuchBucket"), OMNISTORE_INVALID), Catch::Contains("make the bucket bucket"));
}

TEST_CASE("a wrong secret fails the open without naming it") {
  CHECK_THAT(refusal(test::error(403, "SignatureDoesNotMatch"), OMNISTORE_DENIED),
             Catch::Contains("secret access key") && !Catch::Contains("VERYSECRET"));
}

TEST_CASE("a bucket in another region fails the open with the name of the region") {
  const std::string region = "<Region>eu-west-1</Region>";
  CHECK_THAT(refusal(test::error(400, "AuthorizationHeaderMalformed", region), OMNISTORE_INVALID),
             Catch::Contains("in the region eu-west-1"));
}

TEST_CASE("a redirect is not followed with a signature for another server") {
  Origin other;
  Origin::Answer answer = test::error(301, "PermanentRedirect");
  answer.headers.emplace_back("Location", other.url("/bucket"));
  CHECK_THAT(refusal(answer, OMNISTORE_INVALID), Catch::Contains("another region"));
  CHECK(other.requests().empty());
}

TEST_CASE("a wrong clock fails the open with the difference") {
  Origin::Answer answer = test::error(403, "RequestTimeTooSkewed");
  answer.headers.emplace_back("Date", "Fri, 24 May 2013 00:00:00 GMT");
  CHECK_THAT(refusal(answer, OMNISTORE_DENIED), Catch::Contains("clock differs by"));
}

TEST_CASE("a busy server gets the request again") {
  test::Host host;
  Origin origin;
  std::atomic<int> puts = 0;
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "PUT") return Origin::Answer{};
    return ++puts < 3 ? test::error(503, "SlowDown") : Origin::Answer{};
  });
  test::Store store(host, origin);
  CHECK(store.set("a:b", "value") == OMNISTORE_OK);
  CHECK(puts == 3);
}

TEST_CASE("a server that ignores conditions fails the first conditional write") {
  test::Host host;
  Origin origin;
  origin.handle([](const Origin::Request &) { return Origin::Answer{}; });
  test::Store store(host, origin, R"(,"conditionalWrites":"all")");
  CHECK(store.set("a", "value", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_UNSUPPORTED);
  CHECK_THAT(store.message(), Catch::Contains("ignores If-None-Match"));
}

TEST_CASE("without the option a store claims no conditions") {
  test::Host host;
  Origin origin;
  origin.handle([](const Origin::Request &) { return Origin::Answer{}; });
  CHECK((test::Store(host, origin).traits.capabilities & OMNISTORE_CAN_IF_ABSENT) == 0);
  CHECK((test::Store(host, origin, R"(,"conditionalWrites":"all")").traits.capabilities & OMNISTORE_CAN_IF_ABSENT) !=
        0);
}

TEST_CASE("an upload whose source fails is aborted") {
  test::Host host;
  Origin origin;
  std::atomic<int> parts = 0, aborts = 0;
  origin.handle([&](const Origin::Request &request) {
    if (request.method == "DELETE" && request.target.ends_with("uploadId=one")) ++aborts;
    if (request.method == "PUT") ++parts;
    return request.method == "POST" ? test::xml("<R><UploadId>one</UploadId></R>") : Origin::Answer{};
  });
  test::Store store(host, origin, R"(,"partSize":5242880)");
  test::Pieces source({std::string(6'000'000, 'x')}, OMNISTORE_CANCELLED);
  CHECK(store.set("a", source) == OMNISTORE_CANCELLED);
  CHECK(parts == 1);
  CHECK(aborts == 1);
}

TEST_CASE("a removal of many objects carries their digest and reports what stays") {
  test::Host host;
  Origin origin;
  std::string digest;
  origin.handle([&](const Origin::Request &request) {
    if (request.method == "POST") {
      digest = request.header("content-md5");
      return test::xml("<DeleteResult><Error><Key>a/c</Key><Code>AccessDenied</Code></Error></DeleteResult>");
    }
    return test::xml("<ListBucketResult><Contents><Key>a/b</Key></Contents><Contents><Key>a/c</Key></Contents>"
                     "</ListBucketResult>");
  });
  test::Store store(host, origin);
  test::Page removed;
  CHECK(store.clear("a:", &removed) == OMNISTORE_DENIED);
  CHECK(removed.keys() == test::Keys{"a:b"});
  CHECK(digest.size() == 24);
}

TEST_CASE("a session token goes out with each request and is signed") {
  test::Host host;
  Origin origin;
  origin.handle([](const Origin::Request &) { return Origin::Answer{}; });
  test::Store store(host, origin, R"(,"sessionToken":"TOKEN")");
  CHECK(store.set("a", "value") == OMNISTORE_OK);
  const Origin::Request last = origin.requests().back();
  CHECK(last.header("x-amz-security-token") == "TOKEN");
  CHECK_THAT(last.header("authorization"), Catch::Contains("x-amz-security-token"));
}

TEST_CASE("an end of an upload that may have been done is not sent again") {
  test::Host host;
  Origin origin;
  std::atomic<int> ends = 0;
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method == "POST" && request.target.ends_with("uploadId=one")) {
      ++ends;
      return test::error(500, "InternalError");
    }
    return request.method == "POST" ? test::xml("<R><UploadId>one</UploadId></R>") : Origin::Answer{};
  });
  test::Store store(host, origin, R"(,"partSize":5242880)");
  test::Pieces source({std::string(6'000'000, 'x')});
  CHECK(store.set("a", source) == OMNISTORE_UNAVAILABLE);
  CHECK(ends == 1);
}

TEST_CASE("an upload that ends with an error after 200 has failed") {
  test::Host host;
  Origin origin;
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "POST") return Origin::Answer{};
    if (!request.target.ends_with("uploadId=one")) return test::xml("<R><UploadId>one</UploadId></R>");
    return test::xml("<Error><Code>InternalError</Code><Message>Words.</Message></Error>");
  });
  test::Store store(host, origin, R"(,"partSize":5242880)");
  test::Pieces source({std::string(6'000'000, 'x')});
  CHECK(store.set("a", source) == OMNISTORE_UNAVAILABLE);
  CHECK_THAT(store.message(), Catch::Contains("did not put the parts together: InternalError"));
}

TEST_CASE("a value that breaks off is not read again after a part of it was handed on") {
  test::Host host;
  Origin origin;
  std::atomic<int> gets = 0;
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "GET" || test::is_check(request)) return Origin::Answer{};
    ++gets;
    Origin::Answer answer = test::xml(std::string(100'000, 'x'));
    answer.cut = 50'000;
    return answer;
  });
  test::Store store(host, origin);
  test::Got got;
  CHECK(store.get("a", got) == OMNISTORE_UNAVAILABLE);
  CHECK(gets == 1);
}
