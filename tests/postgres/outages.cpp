// SPDX-License-Identifier: Apache-2.0
// Servers that refuse, go away or hang.
#include <vector>

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

TEST_CASE("a role that may only read gets values, and is denied to write them") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  f.sql("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
        "GRANT SELECT ON t TO reader");
  Store reader(f.host, f.server.options("reader", f.database));
  CHECK(reader.get("k") == "v");
  CHECK(reader.set("k", "w") == OMNISTORE_DENIED);
  CHECK_THAT(reader.message(), Catch::Contains("permission denied for table t"));
  CHECK(f.store.get("k") == "v");
}

TEST_CASE("a get and a set of a server that hangs end at their deadlines, and later ones work") {
  PostgresServer server;
  Host host;
  Store store(host, server.options());
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  using namespace std::chrono_literals;
  TimedCall get(300ms), set(300ms);
  Got got;
  CHECK(store.get(get, "k", got) == OMNISTORE_TIMEOUT);
  const omnistore_set_request request = Driven::set_request("x");
  CHECK(store.driver().set(store.self(), &set, omnistore::as_bytes("k"), &request, nullptr) == OMNISTORE_TIMEOUT);
  CHECK_THAT(set.message(), Catch::Contains("did not respond in time"));
  server.thaw();
  CHECK(store.set("k", "w") == OMNISTORE_OK);
  CHECK(store.get("k") == "w");
}

TEST_CASE("gets find their values when the time of their leader ends") {
  PostgresServer server;
  Host host;
  Store store(host, server.options(), R"(,"connectTimeout":60000)");
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  using namespace std::chrono_literals;
  std::atomic<int> late{0}, found{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) // the first two lead; those with more time lead the others, and their time ends, too
    threads.emplace_back([&, i] {
      TimedCall call(i < 4 ? 300ms : 1000ms);
      Got got;
      if (store.get(call, "k", got) == OMNISTORE_TIMEOUT) ++late;
    });
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      Got got;
      if (store.get("k", got) == OMNISTORE_OK && got.bytes == "v") ++found;
    });
  CHECK(eventually([&] { return late == 8; }));
  server.thaw();
  for (std::thread &thread : threads) thread.join();
  CHECK(found == 8);
}

TEST_CASE("a full disk of the server is no_space, and the old value stays") {
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  f.sql("CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$; "
        "CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fill()");
  CHECK(f.store.set("k", "new") == OMNISTORE_NO_SPACE);
  CHECK_THAT(f.store.message(), Catch::Contains("No space left"));
  CHECK(f.store.get("k") == "old");
}

TEST_CASE("a database that only reads gives values, and refuses writes as read_only") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  f.sql("ALTER DATABASE " + f.database + " SET default_transaction_read_only = on");
  Store store(f.host, f.options);
  CHECK(store.get("k") == "v");
  CHECK(store.set("k", "w") == OMNISTORE_READ_ONLY);
  CHECK_THAT(store.message(), Catch::Contains("read-only"));
  CHECK(f.store.get("k") == "v");
}

TEST_CASE("after a failed attempt to connect the store waits before the next one, and says for how long") {
  PostgresServer server;
  Host host;
  Store store(host, server.options());
  server.kill();
  Call call;
  const omnistore_set_request request = Driven::set_request("x");
  const auto set = [&] { return store.driver().set(store.self(), &call, omnistore::as_bytes("k"), &request, nullptr); };
  for (int i = 0; i < 20 && call.details[0].retry_after == 0; ++i) CHECK(set() == OMNISTORE_UNAVAILABLE);
  CHECK(call.details[0].nothing_done);
  CHECK(call.details[0].retry_after > 0);
  CHECK(call.details[0].retry_after <= 2000);
}

TEST_CASE("a server that is killed while it writes loses nothing that was acknowledged") {
  PostgresServer server;
  Host host;
  Store store(host, server.options());
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  std::vector<std::vector<std::string>> kept(4);
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 4; ++writer)
    threads.emplace_back([&, writer] {
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(writer) + ":" + std::to_string(i);
        if (store.set(key, "value of " + key) != OMNISTORE_OK) {
          std::this_thread::yield();
          continue;
        }
        kept[static_cast<std::size_t>(writer)].push_back(key);
        ++acknowledged;
      }
    });
  for (int turn = 0; turn < 3; ++turn) {
    const int before = acknowledged;
    CHECK(eventually([&] { return acknowledged >= before + 50; }));
    server.kill();
    server.start();
  }
  const int before = acknowledged;
  CHECK(eventually([&] { return acknowledged >= before + 50; }));
  stop = true;
  for (std::thread &thread : threads) thread.join();
  for (const std::vector<std::string> &keys : kept)
    for (const std::string &key : keys) REQUIRE(store.get(key) == "value of " + key);
}
