// SPDX-License-Identifier: Apache-2.0
// Servers that refuse, go away or hang.
#include "driven.hpp"

using namespace test;

namespace {

std::string open_failure(const std::string &options, omnistore_status expected, std::string_view more = "") {
  Host host;
  try {
    Store store(host, options, more);
  } catch (const StatusError &error) {
    CHECK(error.status == expected);
    return error.what();
  }
  FAIL("it opened");
  return "";
}

} // namespace

TEST_CASE("a database that does not exist is named in the message") {
  CHECK_THAT(open_failure(shared_server().options("test", "nowhere"), OMNISTORE_INVALID),
             Catch::Contains("\"nowhere\" does not exist"));
}

TEST_CASE("a wrong password is denied, and the message does not show it") {
  PostgresServer &server = shared_server();
  Sql(server, "postgres")("DO $$ BEGIN CREATE ROLE secret LOGIN PASSWORD 'right'; "
                          "EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  const std::string message = open_failure(server.options("secret"), OMNISTORE_DENIED, R"(,"password":"wrongword")");
  CHECK_THAT(message, Catch::Contains("password authentication failed"));
  CHECK_THAT(message, !Catch::Contains("wrongword"));
}

TEST_CASE("a url that libpq cannot read is refused without showing it") {
  const std::string message = open_failure(R"("url":"postgresql://u:hidden@[bad")", OMNISTORE_INVALID);
  CHECK_THAT(message, Catch::Contains("option url"));
  CHECK_THAT(message, !Catch::Contains("hidden"));
}

TEST_CASE("a table with a schema from a newer version is refused") {
  Fixture f;
  f.sql("COMMENT ON TABLE t IS 'omnistore schema 2'");
  CHECK_THAT(open_failure(f.options, OMNISTORE_UNSUPPORTED), Catch::Contains("newer version"));
}

TEST_CASE("a table of another program is refused") {
  Fixture f;
  f.store.close();
  f.sql("DROP TABLE t; CREATE TABLE t (id int)");
  CHECK_THAT(open_failure(f.options, OMNISTORE_INVALID), Catch::Contains("not the driver's"));
}

TEST_CASE("a store is unavailable while its server is gone, and then has the acknowledged values") {
  PostgresServer server;
  Host host;
  Store store(host, server.options());
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.kill();
  CHECK(store.set("k", "w") == OMNISTORE_UNAVAILABLE);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  server.start();
  CHECK(eventually([&] {
    Got again;
    return store.get("k", again) == OMNISTORE_OK && again.bytes == "v";
  }));
}

TEST_CASE("a store opens without its server and works when it is there") {
  PostgresServer server;
  server.kill();
  Host host;
  Store store(host, server.options());
  CHECK(store.set("k", "v") == OMNISTORE_UNAVAILABLE);
  server.start();
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("a deadline holds while another transaction has the row") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  f.sql("BEGIN; UPDATE t SET value = 'w'");
  Call call;
  call.left = 0;
  const omnistore_set_request request = Driven::set_request("x");
  CHECK(f.store.driver().set(f.store.self(), &call, omnistore::as_bytes("k"), &request, nullptr) == OMNISTORE_TIMEOUT);
  f.sql("ROLLBACK");
  CHECK(f.store.get("k").has_value());
}
