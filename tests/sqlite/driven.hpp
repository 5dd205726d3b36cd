// SPDX-License-Identifier: Apache-2.0
// The built sqlite plugin, opened by its C table, and the file as another program sees it.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <sqlite3.h>

#include "support/driven.hpp"
#include "support/still_host.hpp"
#include "support/temporary.hpp"

namespace test {

inline const omnistore_driver &sqlite_driver() {
  static const omnistore::testing::Library library(OMNISTORE_BUILD "/plugins/sqlite.so");
  return library.driver();
}

class Store : public Driven {
public:
  /// `more`: further options: JSON members after a comma.
  Store(Host &host, const std::string &path, std::string_view more = "") : Driven(sqlite_driver()) {
    open(host, "{" + option("path", path) + std::string(more) + "}");
  }
};

/// Another program that has the file open.
class Sql {
public:
  explicit Sql(const std::string &path) {
    sqlite3 *db = nullptr;
    const int code = sqlite3_open(path.c_str(), &db);
    db_.reset(db);
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 10'000);
  }
  /// Runs the text. Gives the first column of each row; NULL is "NULL".
  std::vector<std::string> operator()(const std::string &sql) {
    std::vector<std::string> rows;
    char *message = nullptr;
    const auto take = [](void *to, int, char **values, char **) {
      static_cast<std::vector<std::string> *>(to)->emplace_back(values[0] ? values[0] : "NULL");
      return 0;
    };
    if (sqlite3_exec(db_.get(), sql.c_str(), take, &rows, &message) != SQLITE_OK) {
      const std::string text = message ? message : "?";
      sqlite3_free(message);
      throw std::runtime_error(text);
    }
    return rows;
  }
  std::string one(const std::string &sql) {
    const auto rows = (*this)(sql);
    return rows.empty() ? "" : rows[0];
  }
  /// The plan of a statement: its lines.
  std::string plan(const std::string &sql) {
    std::string text;
    sqlite3_exec(
        db_.get(), ("EXPLAIN QUERY PLAN " + sql).c_str(),
        [](void *to, int, char **values, char **) { return *static_cast<std::string *>(to) += values[3], 0; }, &text,
        nullptr);
    return text;
  }

private:
  std::unique_ptr<sqlite3, int (*)(sqlite3 *)> db_{nullptr, sqlite3_close};
};

/// A folder, a host, and a store in it.
struct Fixture {
  Folder folder;
  Host host;
  std::string path = folder / "data.db";
  Store store{host, path};
  Sql sql{path};
};

} // namespace test
