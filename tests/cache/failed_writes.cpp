// SPDX-License-Identifier: Apache-2.0
// A write that failed takes no copy away (RFC 9111, section 4.4): it serves on while the origin is away, also after a
// restart. If the write may have changed the origin, the origin is read before the copy is used again.
#include <catch2/catch.hpp>

#include <map>

#include "fixture.hpp"

using namespace test;
using omnistore::Condition;
using omnistore::Status;
using omnistore::Storage;

namespace {

/// An origin's response to writes alone.
void refuse_writes(Origin &origin, unsigned status) {
  origin.handle([status](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
    return Origin::Answer{status, {}, "no"};
  });
}

/// Takes a PUT or DELETE, responds with a failure's status, and serves the new state.
void take_and_fail(Origin &origin, unsigned status) {
  origin.handle([status, left = std::map<std::string, Origin::Answer>()](
                    const Origin::Request &request) mutable -> std::optional<Origin::Answer> {
    if (request.method == "GET" || request.method == "HEAD") {
      const auto found = left.find(request.path);
      return found == left.end() ? std::nullopt : std::optional(found->second);
    }
    left[request.path] =
        request.method == "PUT" ? Origin::Answer{200, {{"ETag", "\"2\""}}, request.body} : Origin::Answer{404, {}, {}};
    return Origin::Answer{status, {}, "no"};
  });
}

/// A source whose writer goes away.
class Broken : public omnistore::Source {
public:
  std::size_t read(char *, std::size_t) override { throw omnistore::Error(Status::unavailable, "the writer is gone"); }
};

std::string two_files(const Folder &folder, const std::string &invalidation) {
  return R"({ "": { "driver": "fs", "options": { "base": ")" + (folder / "copies") + R"(" }, "invalidation": )" +
         invalidation + R"(, "origin": { "driver": "fs", "options": { "base": ")" + (folder / "origin") +
         R"(" } } } })";
}

} // namespace

TEST_CASE("a write that the origin refuses leaves the copy fresh") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, "{}"));
  storage.get("pages:k");
  for (const unsigned status : {400u, 401u, 403u, 405u, 412u, 413u, 501u, 507u}) {
    INFO(status);
    refuse_writes(origin, status);
    bool stored = false;
    status_of([&] { stored = storage.set("pages:k", "new").stored; });
    CHECK_FALSE(stored);
    // To a removal a 412 says that there is no value, and the copy goes with it.
    if (status != 412) CHECK(status_of([&] { storage.remove("pages:k"); }) != Status::ok);
    origin.forget();
    CHECK(storage.get("pages:k") == "old");
    CHECK(origin.count() == 0);
  }
}

TEST_CASE("a write that fails at the origin leaves the copy, which serves on while the origin is away") {
  const Folder folder;
  const std::string copies = GENERATE(std::string(memory_copies), std::string("fs"));
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "staleIfError": 0 })", copies == "fs" ? in_files(folder) : copies));
  storage.get("pages:k");
  const unsigned status = GENERATE(500u, 502u, 503u, 504u, 0u);
  INFO(copies << ' ' << status);
  status == 0 ? origin.stop() : refuse_writes(origin, status);
  CHECK(status_of([&] { storage.set("pages:k", "new"); }) != Status::ok);
  CHECK(status_of([&] { storage.remove("pages:k"); }) != Status::ok);
  CHECK(status_of([&] { storage.clear("pages:"); }) != Status::ok);
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"pages:k", "new", {}}}).front().status != Status::ok);
  CHECK(storage.remove_many(std::vector<std::string>{"pages:k"}).front().status != Status::ok);
  origin.stop();
  CHECK(storage.get("pages:k") == "old");
  CHECK(storage.has("pages:k"));
  CHECK(storage.get("pages:k", {1, 1}) == "l");
}

TEST_CASE("a copy in files outlives a write that failed and a restart") {
  const Folder folder;
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  const std::string mounts = cached(origin, "{}", in_files(folder));
  {
    Storage storage = open(mounts);
    storage.get("pages:k");
    origin.stop();
    CHECK(status_of([&] { storage.set("pages:k", "new"); }) == Status::unavailable);
  }
  CHECK(open(mounts).get("pages:k") == "old");
}

TEST_CASE("a stream whose source fails leaves the copy") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, "{}"));
  storage.get("pages:k");
  Broken source;
  CHECK(status_of([&] { storage.set("pages:k", source); }) == Status::unavailable);
  origin.stop();
  CHECK(storage.get("pages:k") == "old");
}

TEST_CASE("after a write whose outcome is unknown the origin is read before the copy is used") {
  const Folder folder;
  const std::string copies = GENERATE(std::string(memory_copies), std::string("fs"));
  INFO(copies);
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  origin.serve("/gone", "old", "\"1\"");
  const std::string mounts = cached(origin, "{}", copies == "fs" ? in_files(folder) : copies);
  std::optional<Storage> storage(open(mounts));
  storage->get("pages:k");
  storage->get("pages:gone");
  take_and_fail(origin, 504);
  CHECK(status_of([&] { storage->set("pages:k", "new"); }) == Status::timeout);
  CHECK(status_of([&] { storage->remove("pages:gone"); }) == Status::timeout);
  if (copies == "fs") storage.emplace(open(mounts)); // what is doubtful is so still after a restart
  CHECK(storage->get("pages:k") == "new");
  CHECK_FALSE(storage->get("pages:gone"));
}

TEST_CASE("a doubtful copy that the origin still has is fresh again after one request without a body") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, "{}"));
  storage.get("pages:k");
  refuse_writes(origin, 500);
  CHECK(status_of([&] { storage.set("pages:k", "new"); }) != Status::ok);
  origin.forget();
  CHECK(storage.get("pages:k") == "old");
  CHECK(storage.get("pages:k") == "old");
  CHECK(origin.count() == 1);
  CHECK(origin.last().header("if-none-match") == "\"1\"");
}

TEST_CASE("after a clear that failed, every copy below it is read from the origin again, whatever the failure") {
  const Folder folder;
  const std::string copies = GENERATE(std::string(memory_copies), std::string("fs"));
  const unsigned failure = GENERATE(403u, 500u, 503u, 504u, 507u);
  INFO(copies << ' ' << failure);
  Origin origin;
  origin.serve("/a/k", "old", "\"1\"");
  origin.serve("/b", "b", "\"1\"");
  const std::string mounts = cached(origin, "{}", copies == "fs" ? in_files(folder) : copies);
  std::optional<Storage> storage(open(mounts));
  storage->get("pages:a:k");
  storage->get("pages:b");
  origin.fail(100, failure);
  CHECK(status_of([&] { storage->clear("pages:a:"); }) != Status::ok);
  origin.fail(0);
  origin.remove("/a/k");
  if (copies == "fs") storage.emplace(open(mounts));
  CHECK_FALSE(storage->get("pages:a:k"));
  origin.forget();
  CHECK(storage->get("pages:b") == "b");
  CHECK(origin.count() == 0);
}

TEST_CASE("an if-match that fails on the copy's own etag shows that the copy is outdated") {
  const Folder folder;
  write_file(folder / "origin/k", "old");
  Storage storage = open(two_files(folder, "{}"));
  const std::string etag = storage.entry("k", {.meta = true})->meta.etag;
  write_file(folder / "origin/k", "another's");
  const auto set_if_match = [&](const std::string &of) {
    omnistore::SetOptions options;
    options.condition = {Condition::Kind::if_match, of};
    return storage.set("k", "mine", options).stored;
  };
  CHECK_FALSE(set_if_match(etag));
  const std::optional<omnistore::Entry> now = storage.entry("k", {.meta = true});
  CHECK(now->value == "another's");
  CHECK(set_if_match(now->meta.etag));
}

TEST_CASE("an if-match of a wrong etag leaves the copy fresh") {
  const Folder folder;
  write_file(folder / "origin/k", "old");
  Storage storage = open(two_files(folder, "{}"));
  storage.get("k");
  omnistore::SetOptions options;
  options.condition = {Condition::Kind::if_match, "wrong"};
  CHECK_FALSE(storage.set("k", "mine", options).stored);
  write_file(folder / "origin/k", "another's");
  CHECK(storage.get("k") == "old");
}

TEST_CASE("an if-absent that fails shows that a remembered miss is outdated") {
  const Folder folder;
  Storage storage = open(two_files(folder, R"({ "negativeMaxAge": 60 })"));
  CHECK_FALSE(storage.get("k"));
  write_file(folder / "origin/k", "another's");
  CHECK_FALSE(storage.get("k"));
  omnistore::SetOptions options;
  options.condition = {Condition::Kind::if_absent, {}};
  CHECK_FALSE(storage.set("k", "mine", options).stored);
  CHECK(storage.get("k") == "another's");
}

TEST_CASE("a write that did not reach the origin leaves no doubt about the copy") {
  const Folder folder;
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, "{}", in_files(folder)));
  storage.get("pages:k");
  origin.stop(); // its port refuses connections from now on
  std::string message;
  CHECK(status_of([&] { storage.set("pages:k", "new"); }) == Status::unavailable);
  CHECK(storage.get("pages:k") == "old"); // without a question to the origin, which is away
}
