// SPDX-License-Identifier: Apache-2.0
// Keeps values in a table of an SQLite database. GUIDE.md explains it step by step.
#include <memory>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>
#include <sqlite3.h>

namespace {

using omnistore::Key;

class Sqlite {
public:
  explicit Sqlite(const omnistore::Options &options) {
    sqlite3 *db = nullptr;
    const int code = sqlite3_open(options.string("path").c_str(), &db);
    db_.reset(db); // even after a failure, since it holds the message
    if (code != SQLITE_OK) fail();
    sqlite3_busy_timeout(db, 5000);
    run("PRAGMA journal_mode = WAL"), run("PRAGMA synchronous = NORMAL");
    run("CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
  }

  std::optional<std::string> get(Key key) {
    std::optional<std::string> found;
    run("SELECT value FROM entries WHERE key = ?", {key}, [&](std::string_view value) { found = value; });
    return found;
  }
  void set(Key key, std::string_view value) { run("INSERT OR REPLACE INTO entries VALUES (?, ?)", {key, value}); }
  bool remove(Key key) {
    run("DELETE FROM entries WHERE key = ?", {key});
    return sqlite3_changes(db_.get()) > 0;
  }
  void list(Key base, omnistore::Emit emit) {
    if (base.empty()) return run("SELECT key FROM entries", {}, emit);
    const std::string end = std::string(base.substr(0, base.size() - 1)) + ';'; // ';' is the byte after ':'
    run("SELECT key FROM entries WHERE key >= ? AND key < ?", {base, end}, emit);
  }

private:
  [[noreturn]] void fail() const {
    const bool busy = sqlite3_errcode(db_.get()) == SQLITE_BUSY;
    throw omnistore::Failure(busy ? OMNISTORE_UNAVAILABLE : OMNISTORE_IO, sqlite3_errmsg(db_.get()));
  }

  static void ignore(std::string_view) {}
  /// Runs a statement, and passes the first column of each row to `row`.
  template <class Row = void (*)(std::string_view)>
  void run(const char *sql, std::initializer_list<std::string_view> arguments = {}, Row row = ignore) {
    sqlite3_stmt *raw = nullptr;
    if (sqlite3_prepare_v2(db_.get(), sql, -1, &raw, nullptr) != SQLITE_OK) fail();
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt *)> statement(raw, sqlite3_finalize);
    int place = 0, code = 0;
    for (const std::string_view bytes : arguments) // a null pointer would be NULL, not an empty blob
      if (sqlite3_bind_blob64(raw, ++place, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC)) fail();
    while ((code = sqlite3_step(raw)) == SQLITE_ROW)
      row({static_cast<const char *>(sqlite3_column_blob(raw, 0)), std::size_t(sqlite3_column_bytes(raw, 0))});
    if (code != SQLITE_DONE) fail();
  }
  std::unique_ptr<sqlite3, int (*)(sqlite3 *)> db_{nullptr, sqlite3_close};
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  made.capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_RANGE |
                      OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  made.keeps = OMNISTORE_KEEPS_PROCESS;
  made.order = OMNISTORE_ORDER_KEYS;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Sqlite>("sqlite", "1.0.0", "A table of an SQLite database", OMNISTORE_OPTIONS_SCHEMA,
                                           traits))
