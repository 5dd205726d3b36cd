// SPDX-License-Identifier: Apache-2.0
// Several that write to one file.
#include <atomic>
#include <thread>

#include "driven.hpp"

using namespace test;

TEST_CASE("a set while another program writes fails as unavailable, with the reason and the remedy") {
  Folder folder;
  Host host;
  const std::string path = folder / "data.db";
  Store store(host, path, R"(,"busyTimeout":30)");
  Sql other(path);
  other("BEGIN IMMEDIATE");
  CHECK(store.set("k", "v") == OMNISTORE_UNAVAILABLE);
  CHECK(store.message().find(path) != std::string::npos);
  CHECK(store.message().find("another process") != std::string::npos);
  CHECK(store.message().find("busyTimeout") != std::string::npos);
  other("ROLLBACK");
  CHECK(store.set("k", "v") == OMNISTORE_OK);
}

TEST_CASE("a set does not wait for another program beyond its deadline") {
  Fixture f;
  f.sql("BEGIN IMMEDIATE");
  Call call;
  call.left = 0;
  const omnistore_set_request request = Driven::set_request("v");
  CHECK(f.store.driver().set(f.store.self(), &call, omnistore::as_bytes("k"), &request, nullptr) == OMNISTORE_TIMEOUT);
  CHECK(call.message().find("another process") != std::string::npos);
  CHECK(call.details.at(0).nothing_done);
  f.sql("ROLLBACK");
}

TEST_CASE("reads continue while another program writes") {
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  f.sql("BEGIN IMMEDIATE");
  f.sql("UPDATE omnistore SET value = 'new'");
  CHECK(f.store.get("k") == "old");
  f.sql("COMMIT");
  CHECK(f.store.get("k") == "new");
}

TEST_CASE("a set waits until another program has written") {
  Fixture f;
  f.sql("BEGIN IMMEDIATE");
  std::atomic<bool> done = false;
  omnistore_status status = OMNISTORE_INTERNAL;
  std::thread writer([&] {
    status = f.store.set("k", "v");
    done = true;
  });
  CHECK_FALSE(done);
  f.sql("COMMIT");
  writer.join();
  CHECK(status == OMNISTORE_OK);
  CHECK(f.store.get("k") == "v");
}

TEST_CASE("a counter that two stores raise by conditions loses nothing") {
  Folder folder;
  Host host;
  const std::string path = folder / "data.db";
  Store one(host, path), two(host, path);
  REQUIRE(one.set("n", "0") == OMNISTORE_OK);
  const auto raise = [](Store &store, int times) {
    while (times > 0) {
      Got got;
      store.get("n", got);
      const std::string next = std::to_string(std::stoi(got.bytes) + 1);
      if (store.set("n", next, {.condition = OMNISTORE_IF_MATCH, .etag = got.etag}) == OMNISTORE_OK) --times;
    }
  };
  std::thread other([&] { raise(two, 200); });
  raise(one, 200);
  other.join();
  CHECK(one.get("n") == "400");
  host.drop_tasks();
}
