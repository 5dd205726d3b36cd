// SPDX-License-Identifier: Apache-2.0
// One connection to the database, its prepared statements, and what its errors mean.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/options.hpp>
#include <sqlite3.h>

#include "layout.hpp"

namespace sqlite {

/// Says which limit an errno with the status no_space is about, after the name of the file.
std::string no_room(const std::string &path, int error);

/// The options. They do not change while the store is open.
struct Settings {
  std::string path, folder;
  Layout layout;
  std::string synchronous; ///< OFF, NORMAL or FULL
  bool read_only;
  std::int64_t max_bytes, cache, busy_timeout, watch_interval;
  std::size_t readers;

  explicit Settings(const omnistore::Options &options);
};

/// For one thread at a time.
class Connection {
public:
  enum class Kind { reader, writer };

  /// Throws Failure. `waits` counts how often the connection waited for another writer.
  Connection(const Settings &settings, Kind kind, omnistore::Call call, std::atomic<std::uint64_t> &waits);
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;
  ~Connection();

  /// On whose behalf statements run from now on: its deadline bounds their waiting and their work.
  void serve(omnistore::Call call) noexcept { call_.emplace(call), waited_ = 0; }
  void serve_nobody() noexcept { call_.reset(); }

  /// Prepared when it is first needed.
  sqlite3_stmt *statement(Query query);
  /// Runs a text that gives no rows.
  void run(const std::string &sql);
  /// The first column of the first row, as a number; 0: there is no row.
  std::int64_t number(const std::string &sql);
  /// How many rows the last statement changed.
  bool changed() const noexcept { return sqlite3_changes(db_) != 0; }
  bool in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

  /// Throws the Failure that a result code of SQLite's means.
  [[noreturn]] void fail(int code) const;
  void check(int code) const {
    if (code != SQLITE_OK) fail(code);
  }

  sqlite3 *db() const noexcept { return db_; }
  const Settings &settings() const noexcept { return settings_; }

private:
  void open(Kind kind);
  void configure(Kind kind);
  void use_wal();
  omnistore::Failure failure(int code) const;
  static int on_busy(void *self, int count) noexcept;
  static int on_progress(void *self) noexcept;

  const Settings &settings_;
  std::atomic<std::uint64_t> &waits_;
  sqlite3 *db_ = nullptr;
  std::array<sqlite3_stmt *, static_cast<std::size_t>(Query::count)> statements_{};
  std::optional<omnistore::Call> call_;
  std::int64_t waited_ = 0; ///< milliseconds, in this call
};

/// One run of a prepared statement. Bound values must stay until the run ends.
class Run {
public:
  Run(Connection &connection, Query query) : connection_(connection), statement_(connection.statement(query)) {}
  Run(const Run &) = delete;
  Run &operator=(const Run &) = delete;
  ~Run() { sqlite3_reset(statement_); }

  Run &text(int place, std::string_view value) {
    return bound(sqlite3_bind_text64(statement_, place, data_of(value), value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  Run &blob(int place, std::string_view value) {
    return bound(sqlite3_bind_blob64(statement_, place, data_of(value), value.size(), SQLITE_STATIC));
  }
  Run &zeros(int place, std::uint64_t size) { return bound(sqlite3_bind_zeroblob64(statement_, place, size)); }
  Run &integer(int place, std::int64_t value) { return bound(sqlite3_bind_int64(statement_, place, value)); }
  Run &null(int place) { return bound(sqlite3_bind_null(statement_, place)); }
  /// NULL stands for "never".
  Run &expiry(int place, std::int64_t value) { return value == 0 ? null(place) : integer(place, value); }
  /// Returns true if the layout's statement uses a parameter.
  bool takes(int place) const { return place <= sqlite3_bind_parameter_count(statement_); }

  /// False: there are no more rows.
  bool row() {
    errno = 0; // else a failure could be explained by an older one
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) connection_.fail(code);
    return code == SQLITE_ROW;
  }
  /// Runs it again with what is bound by now.
  void again() { sqlite3_reset(statement_); }

  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t integer_at(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string_view bytes_at(int column) const {
    const void *data = sqlite3_column_blob(statement_, column);
    return {static_cast<const char *>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

private:
  /// A null pointer would bind NULL.
  static const char *data_of(std::string_view value) { return value.empty() ? "" : value.data(); }
  Run &bound(int code) {
    connection_.check(code);
    return *this;
  }

  Connection &connection_;
  sqlite3_stmt *const statement_;
};

/// A transaction that is rolled back if it is not committed.
class Transaction {
public:
  Transaction(Connection &connection, Query begin) : connection_(connection) { Run(connection, begin).row(); }
  Transaction(const Transaction &) = delete;
  Transaction &operator=(const Transaction &) = delete;
  ~Transaction() {
    if (connection_.in_transaction()) sqlite3_exec(connection_.db(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() { Run(connection_, Query::commit).row(); }

private:
  Connection &connection_;
};

/// A value that is read or written in place, a part at a time.
class Blob {
public:
  Blob(Connection &connection, std::int64_t row, bool writes);
  Blob(const Blob &) = delete;
  Blob &operator=(const Blob &) = delete;
  ~Blob() { sqlite3_blob_close(blob_); }

  std::uint64_t size() const { return static_cast<std::uint64_t>(sqlite3_blob_bytes(blob_)); }
  void read(void *into, std::size_t count, std::uint64_t from) {
    errno = 0;
    connection_.check(sqlite3_blob_read(blob_, into, static_cast<int>(count), static_cast<int>(from)));
  }
  void write(const void *data, std::size_t count, std::uint64_t at) {
    errno = 0;
    connection_.check(sqlite3_blob_write(blob_, data, static_cast<int>(count), static_cast<int>(at)));
  }

private:
  Connection &connection_;
  sqlite3_blob *blob_ = nullptr;
};

} // namespace sqlite
