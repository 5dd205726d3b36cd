// SPDX-License-Identifier: Apache-2.0
#include "layout.hpp"

#include <omnistore/failure.hpp>

#include "connection.hpp"

namespace sqlite {
namespace {

/// "Omni": what marks a file that this driver made, whose user_version is then the number of its schema.
constexpr std::int64_t APPLICATION = 0x4f6d6e69, SCHEMA = 1;

struct Text {
  Query query;
  const char *sql;
};

#define SIZE "CASE typeof(value) WHEN 'blob' THEN length(value) ELSE length(CAST(value AS BLOB)) END"
#define SHORT_VALUE "CASE WHEN length(value) <= 262144 THEN value END"
#define LIVE "(expiry IS NULL OR expiry > ?7)"
#define ROW ", mtime, expiry, version, id, "

// Both layouts. {t} is the table, {c} the table of its changes.
constexpr Text COMMON[] = {
    {Query::begin, "BEGIN"},
    {Query::begin_write, "BEGIN IMMEDIATE"},
    {Query::commit, "COMMIT"},
    {Query::remove_any, "DELETE FROM {t} WHERE key = ?1"},
    {Query::clear, "DELETE FROM {t} WHERE rowid IN (SELECT rowid FROM {t} WHERE key >= ?1 AND key < ?2 ORDER BY key "
                   "LIMIT ?3) RETURNING key"},
    {Query::clear_all, "DELETE FROM {t}"},
    {Query::last_change, "SELECT max(number) FROM {c}"},
    {Query::changes, "SELECT number, key, kind FROM {c} WHERE number > ?1 ORDER BY number LIMIT 1000"},
    {Query::data_version, "PRAGMA data_version"},
};

constexpr Text OWN[] = {
    {Query::get, "SELECT " SHORT_VALUE ", mtime, expiry FROM {t} WHERE key = ?1"},
    {Query::get_with_version, "SELECT " SHORT_VALUE ROW "NULL FROM {t} WHERE key = ?1"},
    {Query::get_with_user, "SELECT " SHORT_VALUE ROW "user FROM {t} WHERE key = ?1"},
    {Query::stat, "SELECT " SIZE ROW "NULL FROM {t} WHERE key = ?1"},
    {Query::stat_with_user, "SELECT " SIZE ROW "user FROM {t} WHERE key = ?1"},
#define INSERT                                                                                                         \
  "INSERT INTO {t} (key, version, mtime, expiry, user, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO "   \
  "UPDATE SET version = ?2, mtime = ?3, expiry = ?4, user = ?5, value = ?6"
#define UPDATE "UPDATE {t} SET version = ?2, mtime = ?3, expiry = ?4, user = ?5, value = ?6 WHERE key = ?1 AND " LIVE
    {Query::set, INSERT},
    {Query::set_if_absent, INSERT " WHERE {t}.expiry <= ?7"},
    {Query::set_if_present, UPDATE},
    {Query::set_if_match, UPDATE " AND version = ?8"},
#undef INSERT
#undef UPDATE
    {Query::remove, "DELETE FROM {t} WHERE key = ?1 AND " LIVE},
    {Query::remove_if_match, "DELETE FROM {t} WHERE key = ?1 AND " LIVE " AND version = ?8"},
    {Query::touch_expiry, "UPDATE {t} SET expiry = ?4 WHERE key = ?1 AND " LIVE},
    {Query::touch_user, "UPDATE {t} SET user = ?5 WHERE key = ?1 AND " LIVE},
    {Query::touch_both, "UPDATE {t} SET expiry = ?4, user = ?5 WHERE key = ?1 AND " LIVE},
    {Query::is_absent, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {t} WHERE key = ?1 AND " LIVE ")"},
// The keys come out of their index alone; the few that have expired are found by the other index.
#define LIST                                                                                                           \
  "SELECT key FROM {t} WHERE key >= ?1 AND key < ?2 AND id NOT IN (SELECT id FROM {t} WHERE expiry <= ?7) ORDER BY "   \
  "key"
#define LIST_META                                                                                                      \
  "SELECT key, " SIZE ", mtime, expiry, version FROM {t} WHERE key >= ?1 AND key < ?2 AND " LIVE " ORDER BY key"
    {Query::list, LIST},
    {Query::list_meta, LIST_META},
    {Query::list_back, LIST " DESC"},
    {Query::list_meta_back, LIST_META " DESC"},
#undef LIST
#undef LIST_META
    {Query::expire, "DELETE FROM {t} WHERE id IN (SELECT id FROM {t} WHERE expiry <= ?7 LIMIT ?3) RETURNING key"},
    {Query::next_expiry, "SELECT min(expiry) FROM {t} WHERE expiry IS NOT NULL"},
};

// unstorage's setItem writes `value` and its setItemRaw `blob`; here a set writes one and empties the other.
#define VALUE "coalesce(value, blob)"
#define DB0_SIZE "length(CAST(" VALUE " AS BLOB))"
#define MTIME "CAST(round((julianday(updated_at) - 2440587.5) * 86400000) AS INTEGER)"
#define NEW_TEXT "CASE typeof(?6) WHEN 'text' THEN ?6 END"
#define NEW_BLOB "CASE typeof(?6) WHEN 'blob' THEN ?6 END"
#define NEW_TIME "strftime('%Y-%m-%d %H:%M:%f', ?3 / 1000.0, 'unixepoch')"
#define DB0_ROW ", " MTIME ", NULL, 0, rowid, NULL FROM {t} WHERE key = ?1"
#define INSERT                                                                                                         \
  "INSERT INTO {t} (key, value, blob, created_at, updated_at) VALUES (?1, " NEW_TEXT ", " NEW_BLOB ", " NEW_TIME       \
  ", " NEW_TIME ") ON CONFLICT (key) DO "
#define UPDATE "UPDATE {t} SET value = " NEW_TEXT ", blob = " NEW_BLOB ", updated_at = " NEW_TIME " WHERE key = ?1"
constexpr Text DB0[] = {
    {Query::get, "SELECT " VALUE DB0_ROW},
    {Query::get_with_version, "SELECT " VALUE DB0_ROW},
    {Query::get_with_user, "SELECT " VALUE DB0_ROW},
    {Query::stat, "SELECT " DB0_SIZE DB0_ROW},
    {Query::stat_with_user, "SELECT " DB0_SIZE DB0_ROW},
    {Query::set, INSERT "UPDATE SET value = excluded.value, blob = excluded.blob, updated_at = excluded.updated_at"},
    {Query::set_if_absent, INSERT "NOTHING"},
    {Query::set_if_present, UPDATE},
    {Query::set_if_match, UPDATE},
    {Query::remove, "DELETE FROM {t} WHERE key = ?1"},
    {Query::remove_if_match, "DELETE FROM {t} WHERE key = ?1"},
    {Query::is_absent, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {t} WHERE key = ?1)"},
#define LIST "SELECT key FROM {t} WHERE key >= ?1 AND key < ?2 ORDER BY key"
#define LIST_META "SELECT key, " DB0_SIZE ", " MTIME ", NULL, 0 FROM {t} WHERE key >= ?1 AND key < ?2 ORDER BY key"
    {Query::list, LIST},
    {Query::list_meta, LIST_META},
    {Query::list_back, LIST " DESC"},
    {Query::list_meta_back, LIST_META " DESC"},
};

constexpr const char *CREATE_OWN =
    "CREATE TABLE {t} ("
    "id INTEGER PRIMARY KEY, "
    "key TEXT NOT NULL UNIQUE, "
    "version INTEGER NOT NULL DEFAULT (random()), "
    "mtime INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), "
    "expiry INTEGER, "
    "user BLOB, "
    "value BLOB NOT NULL);"
    "CREATE INDEX {x} ON {t} (expiry) WHERE expiry IS NOT NULL";

constexpr const char *CREATE_DB0 = "CREATE TABLE {t} ("
                                   "key TEXT PRIMARY KEY, "
                                   "value TEXT, "
                                   "blob BLOB, "
                                   "created_at TEXT DEFAULT CURRENT_TIMESTAMP, "
                                   "updated_at TEXT DEFAULT CURRENT_TIMESTAMP)";

/// A ring: each change removes the one that was made 10,000 changes before it. {k} is the kind of a removal.
constexpr const char *CREATE_CHANGES =
    "CREATE TABLE IF NOT EXISTS {c} (number INTEGER PRIMARY KEY, key TEXT NOT NULL, kind INTEGER NOT NULL);"
#define TRIGGER(NAME, EVENT, KEY, KIND)                                                                                \
  "CREATE TRIGGER IF NOT EXISTS {c}_" NAME " AFTER " EVENT " ON {t} BEGIN "                                            \
  "INSERT INTO {c} (key, kind) VALUES (" KEY ", " KIND "); "                                                           \
  "DELETE FROM {c} WHERE number <= last_insert_rowid() - 10000; END;"
    TRIGGER("insert", "INSERT", "NEW.key", "0") TRIGGER("update", "UPDATE", "NEW.key", "0")
        TRIGGER("delete", "DELETE", "OLD.key", "{k}");

constexpr const char *KIND_OF_REMOVAL =
    "CASE WHEN OLD.expiry <= (julianday('now') - 2440587.5) * 86400000 THEN 2 ELSE 1 END";

void replace(std::string &text, std::string_view mark, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += with.size())
    text.replace(at, mark.size(), with);
}

} // namespace

Layout::Layout(bool db0, const std::string &table)
    : db0_(db0), table_(!table.empty() ? table
                        : db0          ? "unstorage"
                                       : "omnistore") {
  const auto take = [&](const auto &texts) {
    for (const Text &each : texts) sql_[static_cast<std::size_t>(each.query)] = filled(each.sql);
  };
  take(COMMON);
  if (db0)
    take(DB0);
  else
    take(OWN);
}

std::string Layout::filled(std::string text) const {
  replace(text, "{t}", table_);
  replace(text, "{c}", changes());
  replace(text, "{x}", table_ + "_expiry");
  replace(text, "{k}", db0_ ? "1" : KIND_OF_REMOVAL);
  return text;
}

void Layout::limit(omnistore_traits &traits) const {
  if (!db0_) return;
  traits.capabilities &= ~(OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_MATCH |
                           OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM);
}

void Layout::prepare(Connection &connection, bool may_create) const {
  const std::string &path = connection.settings().path;
  if (connection.number("PRAGMA application_id") == APPLICATION) {
    const std::int64_t schema = connection.number("PRAGMA user_version");
    if (schema > SCHEMA)
      throw omnistore::Failure(OMNISTORE_UNSUPPORTED, path + " has the schema " + std::to_string(schema) +
                                                          ", this driver knows schemas up to " +
                                                          std::to_string(SCHEMA) +
                                                          "; use the newer Omnistore that wrote it");
  }
  const auto exists = [&] {
    return connection.number("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '" + table_ + "'");
  };
  if (!exists()) {
    if (!may_create) throw omnistore::Failure(OMNISTORE_INVALID, path + " has no table " + table_);
    Transaction transaction(connection, Query::begin_write);
    if (!exists()) create(connection);
    transaction.commit();
  }
  try {
    for (const Query query : {Query::get_with_user, Query::list_meta, Query::set}) connection.statement(query);
  } catch (const omnistore::Failure &failure) {
    if (failure.status() != OMNISTORE_CORRUPT) throw;
    throw omnistore::Failure(OMNISTORE_INVALID,
                             std::string(failure.what()) + "; the options layout and table say which table is meant");
  }
}

void Layout::create(Connection &connection) const {
  // A file that another program made keeps its own marks.
  if (connection.number("SELECT count(*) FROM sqlite_master") == 0) {
    connection.run("PRAGMA application_id = " + std::to_string(APPLICATION));
    connection.run("PRAGMA user_version = " + std::to_string(SCHEMA));
  }
  connection.run(filled(db0_ ? CREATE_DB0 : CREATE_OWN));
}

void Layout::prepare_changes(Connection &writer) const {
  if (writer.number("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '" + table_ +
                    "' AND name LIKE '" + changes() + "\\_%' ESCAPE '\\'") == 3)
    return;
  Transaction transaction(writer, Query::begin_write);
  writer.run(filled(CREATE_CHANGES));
  transaction.commit();
}

} // namespace sqlite
