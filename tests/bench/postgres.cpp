// SPDX-License-Identifier: Apache-2.0
// bench_postgres KEYS: the postgres driver through the whole stack with 64 callers, beside libpq with one connection
// and one prepared get at a time on the same table. The server has the second core for itself.
#include <atomic>
#include <memory>
#include <thread>

#include <libpq-fe.h>

#include <omnistore/storage.hpp>

#include "support/postgres_server.hpp"
#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100;
constexpr unsigned callers = 64;

std::unique_ptr<test::PostgresServer> start_server() {
  bench::run_on(1);
  auto server = std::make_unique<test::PostgresServer>();
  bench::run_on(0);
  return server;
}

omnistore::Storage open_postgres(const test::PostgresServer &server) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = "postgres";
  config.mounts[""].store.options = "{" + server.options() + "}";
  return omnistore::Storage(config);
}

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

struct Bench {
  explicit Bench(std::uint32_t count)
      : keys(bench::shuffled_keys(count)), at(keys.size()), server(start_server()), storage(open_postgres(*server)),
        db(PQconnectdb(("host=" + server->folder() + " user=test dbname=postgres").c_str()), &PQfinish) {
    for (std::uint32_t i = 0; i < count; ++i) storage.set(keys[i], bench::value(value_size, i));
    bench::require(PQstatus(db.get()) == CONNECTION_OK, "libpq cannot connect");
    Result(PQexec(db.get(), "VACUUM ANALYZE omnistore"), &PQclear);
    const Result prepared(PQprepare(db.get(), "get", "SELECT value FROM omnistore WHERE key = $1::bytea", 1, nullptr),
                          &PQclear);
    bench::require(PQresultStatus(prepared.get()) == PGRES_COMMAND_OK, "libpq cannot prepare");
  }

  std::vector<std::string> keys;
  bench::Ring at;
  std::unique_ptr<test::PostgresServer> server;
  omnistore::Storage storage;
  std::unique_ptr<PGconn, decltype(&PQfinish)> db;
};

bench::Result raw_get(Bench &bench, double seconds) {
  return bench::repeat(seconds, 16, 1, [&] {
    const std::string &key = bench.keys[bench.at.next()];
    const char *const values[] = {key.data()};
    const int sizes[] = {static_cast<int>(key.size())}, formats[] = {1};
    const Result result(PQexecPrepared(bench.db.get(), "get", 1, values, sizes, formats, 1), &PQclear);
    bench::require(PQntuples(result.get()) == 1 && PQgetlength(result.get(), 0, 0) == value_size, "a miss");
  });
}

bench::Result ours_get_64(Bench &bench, double seconds) {
  return bench::get_by_many(bench.storage, bench.keys, callers, value_size, seconds);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fputs("usage: bench_postgres KEYS\n", stderr);
    return 2;
  }
  Bench bench(static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10)));
  return bench::serve({
      {"ours.get-64", [&bench](double seconds) { return ours_get_64(bench, seconds); }},
      {"raw.get", [&bench](double seconds) { return raw_get(bench, seconds); }},
  });
}
