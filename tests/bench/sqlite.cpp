// SPDX-License-Identifier: Apache-2.0
// bench_sqlite FOLDER KEYS: the sqlite driver through the whole stack, beside bare SQLite with prepared statements and
// the same settings: WAL, synchronous NORMAL, 8 MiB of cache, no mutexes.
#include <memory>

#include <sqlite3.h>

#include "engine.hpp"

namespace {

class Raw {
public:
  Raw(const std::string &path, bench::Engine &engine) : engine_(engine) {
    sqlite3 *db = nullptr;
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    check(sqlite3_open_v2(path.c_str(), &db, flags, nullptr));
    db_.reset(db);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;"
        "CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL)");
    get_ = prepare("SELECT value FROM kv WHERE key = ?1");
    set_ = prepare("INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2");
    begin_ = prepare("BEGIN IMMEDIATE"), commit_ = prepare("COMMIT");
    step(begin_);
    for (const std::string &key : engine.keys) set(key, engine.some_value());
    step(commit_);
  }
  ~Raw() {
    for (sqlite3_stmt *each : {get_, set_, begin_, commit_}) sqlite3_finalize(each);
  }

  bench::Result get(double seconds) {
    std::string found;
    return bench::repeat(seconds, 64, 1, [&] {
      const std::string &key = engine_.next_key();
      sqlite3_bind_text(get_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
      bench::require(sqlite3_step(get_) == SQLITE_ROW, "a miss");
      found.assign(static_cast<const char *>(sqlite3_column_blob(get_, 0)),
                   static_cast<std::size_t>(sqlite3_column_bytes(get_, 0)));
      sqlite3_reset(get_);
      bench::require(found.size() == bench::engine_value, "a miss");
    });
  }

  bench::Result batch_set(double seconds) {
    return bench::repeat(seconds, 1, bench::engine_batch, [&] {
      step(begin_);
      for (std::size_t i = 0; i < bench::engine_batch; ++i) set(engine_.next_key(), engine_.some_value());
      step(commit_);
    });
  }

private:
  void check(int code) const { bench::require(code == SQLITE_OK, "SQLite failed"); }
  void run(const char *sql) const { check(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt *prepare(const char *sql) const {
    sqlite3_stmt *statement = nullptr;
    check(sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statement;
  }
  static void step(sqlite3_stmt *statement) {
    bench::require(sqlite3_step(statement) == SQLITE_DONE, "SQLite failed");
    sqlite3_reset(statement);
  }
  void set(const std::string &key, const std::string &value) {
    sqlite3_bind_text(set_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
    sqlite3_bind_blob(set_, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    step(set_);
  }

  bench::Engine &engine_;
  std::unique_ptr<sqlite3, int (*)(sqlite3 *)> db_{nullptr, sqlite3_close};
  sqlite3_stmt *get_ = nullptr, *set_ = nullptr, *begin_ = nullptr, *commit_ = nullptr;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_sqlite FOLDER KEYS\n", stderr);
    return 2;
  }
  const std::string folder = argv[1];
  bench::Engine ours("sqlite", R"({"path": ")" + folder + R"(/ours.db"})",
                     static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  Raw raw(folder + "/raw.db", ours);
  return bench::serve({
      {"ours.get", [&](double seconds) { return ours.get(seconds); }},
      {"ours.batch-set", [&](double seconds) { return ours.batch_set(seconds); }},
      {"raw.get", [&](double seconds) { return raw.get(seconds); }},
      {"raw.batch-set", [&](double seconds) { return raw.batch_set(seconds); }},
  });
}
