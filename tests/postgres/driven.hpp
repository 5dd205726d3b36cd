// SPDX-License-Identifier: Apache-2.0
// The built postgres plugin, opened by its C table, and the table as another program sees it. All tests of a program
// share one server; each has a table of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <catch2/catch.hpp>
#include <libpq-fe.h>

#include "support/driven.hpp"
#include "support/postgres_server.hpp"
#include "support/still_host.hpp"

namespace test {

inline const omnistore_driver &postgres_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/postgres.so");
  return library.driver();
}

inline PostgresServer &shared_server() {
  static PostgresServer server;
  return server;
}

class Store : public Driven {
public:
  /// `more`: further options: JSON members after a comma.
  Store(Host &host, const std::string &options, std::string_view more = "") : Driven(postgres_driver()) {
    open(host, "{" + options + (more.find("table") == more.npos ? R"(,"table":"t")" : "") + std::string(more) +
                   (more.find("triggers") == more.npos ? R"(,"triggers":false)" : "") +
                   (more.find("connectTimeout") == more.npos ? R"(,"connectTimeout":5000)" : "") +
                   R"(,"connections":4})");
  }
};

/// Another program that uses the database.
class Sql {
public:
  Sql(const PostgresServer &server, const std::string &database)
      : db_(PQconnectdb(
                ("host=" + server.folder() + " port=" + std::to_string(server.port()) + " user=test dbname=" + database)
                    .c_str()),
            &PQfinish) {
    if (PQstatus(db_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(db_.get()));
    PQsetNoticeReceiver(
        db_.get(), [](void *, const PGresult *) {}, nullptr);
  }
  /// Runs the text. Gives the first column of the first row, or an empty text.
  std::string operator()(const std::string &sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(db_.get(), sql.c_str()), &PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(db_.get()));
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
  }

private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> db_;
};

/// A call with a deadline.
struct TimedCall : Call {
  std::chrono::steady_clock::time_point end;
  explicit TimedCall(std::chrono::milliseconds time) : end(std::chrono::steady_clock::now() + time) {
    remaining = [](const omnistore_call *call) -> std::int64_t {
      const auto rest = static_cast<const TimedCall *>(call)->end - std::chrono::steady_clock::now();
      return std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(rest).count());
    };
  }
};

/// A database of the shared server that no other test uses.
inline std::string fresh_database(const PostgresServer &server) {
  static std::atomic<int> number{0};
  const std::string name = "d" + std::to_string(++number);
  Sql(server, "postgres")("CREATE DATABASE " + name + " STRATEGY file_copy");
  return name;
}

/// A database, a host, and a store in it.
struct Fixture {
  PostgresServer &server = shared_server();
  std::string database = fresh_database(server);
  std::string options = server.options("test", database);
  Host host;
  Store store{host, options};
  Sql sql{server, database};
};

} // namespace test
