// SPDX-License-Identifier: Apache-2.0
// The statements on a table of unstorage's `db0` driver. Its columns are key, value (text), blob, created_at and
// updated_at. unstorage's setItem writes `value` and its setItemRaw `blob`; here a set writes one and empties the
// other.
#include "layout.hpp"

namespace postgres {
namespace {

#define KEY(parameter) "convert_from(" parameter "::bytea, 'UTF8')"
#define BYTES "coalesce(convert_to(t.value, 'UTF8'), t.blob)"
#define META                                                                                                           \
  "0::int8, (extract(epoch FROM t.updated_at::timestamptz) * 1000)::int8, NULL::int8, octet_length(" BYTES ")::int8"
// A parameter that a statement does not need must have a type, too.
#define LIVE(now) "(t.value IS NOT NULL OR t.blob IS NOT NULL) AND " now "::int8 IS NOT NULL"
#define USER(wanted) ", CASE WHEN " wanted "::int8 IS NULL THEN ''::bytea END"
#define TEXT(is_text, value) "CASE WHEN " is_text " THEN convert_from(" value ", 'UTF8') END"
#define BLOB(is_text, value) "CASE WHEN " is_text " IS NULL THEN " value " END"
#define TIME "to_timestamp($2::int8 / 1000.0)"
#define INSERT "INSERT INTO @ AS t (key, value, blob, created_at, updated_at) "
#define REPLACE                                                                                                        \
  "ON CONFLICT (key) DO UPDATE SET value = excluded.value, blob = excluded.blob, updated_at = excluded.updated_at "
#define SET                                                                                                            \
  INSERT "SELECT " KEY("$1") ", " TEXT("$3::int8 = 1", "$5::bytea") ", " BLOB(                                         \
      "$3::int8", "$5::bytea") ", " TIME ", " TIME " WHERE $4::bytea IS NULL " REPLACE
// The bounds compare in the order of bytes, whatever the order of the column is.
#define BETWEEN(key) key " COLLATE \"C\" >= " KEY("$1") " AND " key " COLLATE \"C\" < " KEY("$2")
#define LIST(columns, order)                                                                                           \
  "SELECT t.key" columns " FROM @ t WHERE " BETWEEN("t.key") " AND " LIVE("$3") " ORDER BY t.key COLLATE \"C\" " order \
                                                                                " LIMIT $4::int8"

struct Text {
  Query query;
  const char *sql;
};

#define MANY                                                                                                           \
  " FROM unnest($1::bytea[]) WITH ORDINALITY AS k(key, i) JOIN @ t ON t.key = " KEY("k.key") " WHERE " LIVE("$2")

constexpr Text TEXTS[] = {
    {Query::get, "SELECT " META USER("$3") ", substring(" BYTES " FROM $4::int8::int4 FOR $5::int8::int4) FROM @ t "
                                           "WHERE t.key = " KEY("$1") " AND " LIVE("$2")},
    {Query::stat, "SELECT " META USER("$3") " FROM @ t WHERE t.key = " KEY("$1") " AND " LIVE("$2")},
    {Query::get_many,
     "SELECT " META USER("$3") ", k.i, CASE WHEN octet_length(" BYTES ") <= {together} THEN " BYTES " END" MANY},
    {Query::stat_many, "SELECT " META USER("$3") ", k.i" MANY},
    {Query::set, SET "RETURNING 0::int8"},
    {Query::set_if_absent, SET "WHERE t.value IS NULL AND t.blob IS NULL RETURNING 0::int8"},
    {Query::set_if_present, "UPDATE @ t SET value = " TEXT("$3::int8 = 1", "$5::bytea") ", blob = " BLOB(
                                "$3::int8", "$5::bytea") ", updated_at = " TIME
                                                         " WHERE t.key = " KEY("$1") " AND $4::bytea IS NULL AND " LIVE(
                                                             "$2") " RETURNING 0::int8"},
    {Query::set_many,
     INSERT "SELECT " KEY("n.key") ", " TEXT("n.is_text = 1", "n.value") ", " BLOB(
         "n.is_text", "n.value") ", " TIME ", " TIME
                                 " FROM unnest($1::bytea[], $3::int8[], $4::bytea[], $5::bytea[]) AS "
                                 "n(key, is_text, user_meta, value) " REPLACE "RETURNING key, 0::int8"},
    {Query::remove, "DELETE FROM @ t WHERE t.key = " KEY("$1") " AND " LIVE("$2")},
    {Query::remove_many,
     "DELETE FROM @ t USING (SELECT o.key FROM unnest($1::bytea[]) AS k(key) JOIN @ o ON o.key = " KEY(
         "k.key") " ORDER BY o.key FOR UPDATE OF o) AS g WHERE t.key = g.key AND " LIVE("$2") " RETURNING t.key"},
    {Query::list, LIST("", "")},
    {Query::list_meta, LIST(", " META, "")},
    {Query::list_back, LIST("", "DESC")},
    {Query::list_meta_back, LIST(", " META, "DESC")},
    {Query::clear, "DELETE FROM @ t WHERE " BETWEEN("t.key")},
    {Query::clear_some, "DELETE FROM @ t USING (SELECT key FROM @ WHERE " BETWEEN(
                            "key") " ORDER BY key COLLATE \"C\" "
                                   "LIMIT $3::int8 FOR UPDATE) AS g WHERE t.key = g.key RETURNING t.key"},
};

#undef KEY
#undef BYTES
#undef META
#undef LIVE
#undef USER
#undef TEXT
#undef BLOB
#undef TIME
#undef INSERT
#undef REPLACE
#undef SET
#undef BETWEEN
#undef LIST
#undef MANY

} // namespace

const Layout &db0_layout() {
  static const Layout layout = [] {
    Layout db0;
    db0.is_db0 = true;
    db0.default_table = "unstorage";
    for (const Text &each : TEXTS) {
      std::string sql = each.sql;
      if (const std::size_t at = sql.find("{together}"); at != sql.npos)
        sql.replace(at, 10, std::to_string(MOST_TOGETHER));
      db0.texts[static_cast<std::size_t>(each.query)] = sql;
    }
    db0.create = R"(
  CREATE TABLE IF NOT EXISTS @ (
    key VARCHAR(255) NOT NULL PRIMARY KEY,
    value TEXT,
    blob BYTEA,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
)";
    db0.old_key = "convert_to(OLD.key, 'UTF8')", db0.new_key = "convert_to(NEW.key, 'UTF8')";
    db0.removal = "'r'";
    db0.changed = "OLD.value IS DISTINCT FROM NEW.value OR OLD.blob IS DISTINCT FROM NEW.blob OR OLD.key <> NEW.key";
    return db0;
  }();
  return layout;
}

} // namespace postgres
