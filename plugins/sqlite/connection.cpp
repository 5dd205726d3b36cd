// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include <sys/stat.h>

#include <omnistore/errno_status.hpp>

namespace sqlite {
namespace {

using omnistore::Failure, omnistore::status_of_errno;

/// A WAL that a large write has made longer is cut to this size when it next restarts.
constexpr const char *LONGEST_IDLE_WAL = "67108864";
/// After so many steps of SQLite's machine, about a millisecond, it looks at the deadline.
constexpr int STEPS = 20'000;

std::string synchronous_of(const std::string &durability) {
  return durability == "none" ? "OFF" : durability == "full" ? "FULL" : "NORMAL";
}

/// Makes the folders, and a file that only its owner can read: SQLite itself would go by the umask. The file is made
/// without opening it, since closing a descriptor of it would drop the locks that this process holds on it.
void make_file(const Settings &settings) {
  std::error_code error;
  std::filesystem::create_directories(settings.folder, error);
  if (error)
    throw Failure(status_of_errno(error.value()),
                  "the folder " + settings.folder + " cannot be made: " + error.message());
  if (mknod(settings.path.c_str(), S_IFREG | 0600, 0) != 0 && errno != EEXIST) {
    const int cause = errno;
    throw Failure(status_of_errno(cause), settings.path + " cannot be made: " + std::strerror(cause));
  }
}

} // namespace

std::string no_room(const std::string &path, int error) {
  if (error == EFBIG)
    return path + ": the process's limit on the size of a file (ulimit -f), or the filesystem's own, is reached";
  if (error == EDQUOT) return path + ": the user's quota on this disk is used up";
  return "the disk of " + path + " is full";
}

Settings::Settings(const omnistore::Options &options)
    : path(options.string("path")), folder(std::filesystem::path(path).parent_path().string()),
      layout(options.string("layout", "omnistore") == "db0", options.string("table", "")),
      synchronous(synchronous_of(options.string("durability", "data"))), read_only(options.boolean("readOnly", false)),
      max_bytes(options.integer("maxBytes", 0)), cache(options.integer("cache", 8 << 20)),
      busy_timeout(options.integer("busyTimeout", 5000)), watch_interval(options.integer("watchInterval", 20)),
      readers(static_cast<std::size_t>(options.integer("readers", 4))) {
  const std::string file = std::filesystem::path(path).filename().string();
  if (file == ":memory:")
    throw Failure(OMNISTORE_INVALID, "option path: SQLite has no database in memory here, which each connection would "
                                     "have for itself; use the driver memory, or give a file");
  if (file.empty())
    throw Failure(OMNISTORE_INVALID, "option path: " + path + " is a folder; give the database's file in it");
  if (sqlite3_strnicmp(layout.table().c_str(), "sqlite_", 7) == 0)
    throw Failure(OMNISTORE_INVALID, "option table: SQLite keeps the names that begin with sqlite_ for itself");
  constexpr std::int64_t least = 64 << 10; // the empty tables and indexes
  if (max_bytes != 0 && max_bytes < least)
    throw Failure(OMNISTORE_INVALID, "option maxBytes: " + std::to_string(max_bytes) +
                                         " holds no table; the least is 64KiB, and 0 is no limit");
}

Connection::Connection(const Settings &settings, Kind kind, omnistore::Call call, std::atomic<std::uint64_t> &waits)
    : settings_(settings), waits_(waits) {
  serve(call);
  try {
    open(kind);
    configure(kind);
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
  serve_nobody();
}

Connection::~Connection() {
  for (sqlite3_stmt *each : statements_) sqlite3_finalize(each);
  sqlite3_close(db_);
}

void Connection::open(Kind kind) {
  if (kind == Kind::writer) make_file(settings_);
  errno = 0;
  const int flags = (settings_.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(settings_.path.c_str(), &db_, flags, nullptr);
  if (!db_) throw std::bad_alloc();
  sqlite3_extended_result_codes(db_, 1);
  if (code != SQLITE_OK) fail(code);
  if (kind == Kind::writer && sqlite3_db_readonly(db_, "main") == 1)
    throw Failure(OMNISTORE_READ_ONLY,
                  settings_.path + " cannot be written by this user: change its permissions, or set readOnly");
  sqlite3_busy_handler(db_, &on_busy, this);
  sqlite3_progress_handler(db_, STEPS, &on_progress, this);
}

void Connection::configure(Kind kind) {
  run("PRAGMA cache_size = -" + std::to_string(settings_.cache / 1024));
  run("PRAGMA temp_store = MEMORY");
  if (kind == Kind::reader) return;
  use_wal();
  run("PRAGMA synchronous = " + settings_.synchronous);
  run(std::string("PRAGMA journal_size_limit = ") + LONGEST_IDLE_WAL);
  if (settings_.max_bytes != 0) {
    const std::int64_t page = number("PRAGMA page_size");
    run("PRAGMA max_page_count = " + std::to_string(std::max<std::int64_t>(1, settings_.max_bytes / page)));
  }
}

/// Two programs that open a new file at once may disturb each other here, since SQLite does not call the busy handler.
void Connection::use_wal() {
  for (int count = 0;; ++count) {
    sqlite3_stmt *statement = nullptr;
    errno = 0;
    check(sqlite3_prepare_v2(db_, "PRAGMA journal_mode = WAL", -1, &statement, nullptr));
    const int code = sqlite3_step(statement);
    const std::string mode =
        code == SQLITE_ROW ? reinterpret_cast<const char *>(sqlite3_column_text(statement, 0)) : std::string();
    sqlite3_finalize(statement);
    if (mode == "wal") return;
    if (code == SQLITE_ROW)
      throw Failure(OMNISTORE_UNSUPPORTED,
                    settings_.path + " cannot be used with a write-ahead log, which needs a local filesystem");
    if ((code & 0xff) != SQLITE_BUSY || !on_busy(this, count)) fail(code);
  }
}

sqlite3_stmt *Connection::statement(Query query) {
  sqlite3_stmt *&statement = statements_[static_cast<std::size_t>(query)];
  if (!statement) {
    const std::string &sql = settings_.layout.sql(query);
    check(sqlite3_prepare_v3(db_, sql.c_str(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                             nullptr));
  }
  return statement;
}

void Connection::run(const std::string &sql) {
  errno = 0;
  check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Connection::number(const std::string &sql) {
  sqlite3_stmt *statement = nullptr;
  check(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr));
  const int code = sqlite3_step(statement);
  const std::int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail(code);
  return number;
}

int Connection::on_busy(void *self, int count) noexcept {
  auto &connection = *static_cast<Connection *>(self);
  const std::int64_t left = std::min(connection.settings_.busy_timeout - connection.waited_,
                                     connection.call_ ? connection.call_->remaining() : 0);
  if (left <= 0) return 0;
  connection.waits_.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t pause = std::min<std::int64_t>({left, 1 + count / 4, 20});
  std::this_thread::sleep_for(std::chrono::milliseconds(pause));
  connection.waited_ += pause;
  return 1;
}

int Connection::on_progress(void *self) noexcept {
  const auto &call = static_cast<Connection *>(self)->call_;
  return call && call->remaining() == 0;
}

void Connection::fail(int code) const { throw failure(code); }

omnistore::Failure Connection::failure(int code) const {
  // SQLite keeps no errno of a write that fails in a commit, and may keep an older one instead.
  const int error = errno != 0 ? errno : sqlite3_system_errno(db_);
  const std::string &path = settings_.path;
  const std::string own = sqlite3_errmsg(db_);
  const std::string cause = error == 0 ? own : own + " (" + std::strerror(error) + ")";
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    if (call_ && call_->remaining() == 0)
      return {call_->late(), path + " is locked: another process writes to it", omnistore::nothing_done};
    return {OMNISTORE_UNAVAILABLE,
            path + " was locked for " + std::to_string(waited_) +
                " ms: another process writes to it; a longer busyTimeout waits longer",
            {true, 100}};
  case SQLITE_INTERRUPT:
    return {call_ ? call_->late() : OMNISTORE_TIMEOUT, "the time was up while " + path + " was read or written"};
  case SQLITE_FULL:
    if (settings_.max_bytes != 0)
      return {OMNISTORE_NO_SPACE, path + " would become larger than maxBytes, or the disk is full",
              omnistore::nothing_done};
    return {OMNISTORE_NO_SPACE, "the disk of " + path + " is full", omnistore::nothing_done};
  case SQLITE_READONLY:
    if (code == SQLITE_READONLY_DBMOVED)
      return {OMNISTORE_UNAVAILABLE, path + " was moved or removed while it was open; reload the mount",
              omnistore::nothing_done};
    return {OMNISTORE_READ_ONLY,
            path + " cannot be written: change the permissions of the file and its folder, or set readOnly",
            omnistore::nothing_done};
  case SQLITE_CORRUPT:
    return {OMNISTORE_CORRUPT, path + " is damaged (" + own + "); `sqlite3 FILE .recover` saves what can be read"};
  case SQLITE_NOTADB:
    return {OMNISTORE_CORRUPT, path + " is no SQLite database, or is encrypted; give another path, or move it away"};
  case SQLITE_TOOBIG:
    return {OMNISTORE_TOO_LARGE,
            "SQLite holds at most " + std::to_string(sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, -1)) + " bytes in a row",
            omnistore::nothing_done};
  case SQLITE_NOMEM:
    return {OMNISTORE_NO_SPACE, "out of memory"};
  case SQLITE_CANTOPEN:
    if (status_of_errno(error) == OMNISTORE_DENIED)
      return {OMNISTORE_DENIED, path + " cannot be opened by this user: change its permissions"};
    return {status_of_errno(error), path + " cannot be opened: " + cause};
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return {OMNISTORE_DENIED, path + ": " + cause};
  case SQLITE_IOERR:
    if (status_of_errno(error) == OMNISTORE_NO_SPACE) return {OMNISTORE_NO_SPACE, no_room(path, error)};
    return {status_of_errno(error), path + ": " + cause};
  case SQLITE_ERROR:
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
    return {OMNISTORE_CORRUPT, "the table " + settings_.layout.table() + " of " + path + " has another form: " + own};
  default:
    return {OMNISTORE_INTERNAL, path + ": " + cause};
  }
}

Blob::Blob(Connection &connection, std::int64_t row, bool writes) : connection_(connection) {
  connection.check(sqlite3_blob_open(connection.db(), "main", connection.settings().layout.table().c_str(), "value",
                                     row, writes, &blob_));
}

} // namespace sqlite
