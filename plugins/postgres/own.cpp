// SPDX-License-Identifier: Apache-2.0
// The statements on a table of the driver's own layout.
#include <string_view>

#include "layout.hpp"

namespace postgres {
namespace {

// Columns of a value: version, mtime, expiry, size.
#define META "t.version, t.mtime, t.expiry, octet_length(t.value)::int8"
#define LIVE(now) "(t.expiry IS NULL OR t.expiry > " now "::int8)"
#define NEW_VALUE                                                                                                      \
  " version = nextval('@_version'), mtime = $2::int8, expiry = $3::int8, user_meta = $4::bytea, value = $5::bytea "
#define INSERT                                                                                                         \
  "INSERT INTO @ AS t (key, version, mtime, expiry, user_meta, value) VALUES ($1::bytea, nextval('@_version'), "       \
  "$2::int8, $3::int8, $4::bytea, $5::bytea) ON CONFLICT (key) DO UPDATE SET" REPLACE
#define REPLACE                                                                                                        \
  " version = excluded.version, mtime = excluded.mtime, expiry = excluded.expiry, user_meta = excluded.user_meta, "    \
  "value = excluded.value "
#define LIST(columns, order)                                                                                           \
  "SELECT t.key" columns                                                                                               \
  " FROM @ t WHERE t.key >= $1::bytea AND t.key < $2::bytea AND " LIVE("$3") " ORDER BY t.key " order                  \
                                                                             " LIMIT $4::int8"

constexpr std::string_view TABLE = R"(
  CREATE SEQUENCE IF NOT EXISTS @_version;
  CREATE TABLE IF NOT EXISTS @ (
    key bytea PRIMARY KEY,
    version bigint NOT NULL DEFAULT nextval('@_version'),
    mtime bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    expiry bigint,
    user_meta bytea,
    value bytea NOT NULL);
  ALTER TABLE @ ALTER COLUMN value SET STORAGE EXTERNAL;
  CREATE INDEX IF NOT EXISTS @_expiry ON @ (expiry) WHERE expiry IS NOT NULL;
  COMMENT ON TABLE @ IS 'omnistore schema 1';
)";

} // namespace

const Layout &own_layout() {
  static const Layout layout = [] {
    Layout own;
    own.default_table = "omnistore";
    own.create = TABLE;
    own.old_key = "OLD.key", own.new_key = "NEW.key";
    own.removal = "CASE WHEN OLD.expiry <= extract(epoch FROM clock_timestamp()) * 1000 THEN 'e' ELSE 'r' END";
    own.changed = "OLD.value IS DISTINCT FROM NEW.value OR OLD.version <> NEW.version OR OLD.key <> NEW.key";
    const auto put = [&](Query query, std::string_view text) { own.texts[static_cast<std::size_t>(query)] = text; };
    const std::string together = std::to_string(MOST_TOGETHER);
    put(Query::get,
        "SELECT " META ", CASE WHEN $3::int8 <> 0 THEN t.user_meta END, substring(t.value FROM $4::int8::int4 "
        "FOR $5::int8::int4) FROM @ t WHERE t.key = $1::bytea AND " LIVE("$2"));
    put(Query::stat, "SELECT " META
                     ", CASE WHEN $3::int8 <> 0 THEN t.user_meta END FROM @ t WHERE t.key = $1::bytea AND " LIVE("$2"));
    const std::string many =
        " FROM unnest($1::bytea[]) WITH ORDINALITY AS k(key, i) JOIN @ t ON t.key = k.key WHERE " LIVE("$2");
    const std::string user = ", CASE WHEN $3::int8 <> 0 THEN t.user_meta END, k.i";
    put(Query::get_many,
        "SELECT " META + user + ", CASE WHEN octet_length(t.value) <= " + together + " THEN t.value END" + many);
    put(Query::stat_many, "SELECT " META + user + many);
    put(Query::set, INSERT "RETURNING version");
    put(Query::set_if_absent, INSERT "WHERE t.expiry <= $2::int8 RETURNING version");
    put(Query::set_if_present,
        "UPDATE @ t SET" NEW_VALUE "WHERE t.key = $1::bytea AND " LIVE("$2") " RETURNING version");
    put(Query::set_if_match, "UPDATE @ t SET" NEW_VALUE
                             "WHERE t.key = $1::bytea AND t.version = $6::int8 AND " LIVE("$2") " RETURNING version");
    put(Query::set_many, "INSERT INTO @ AS t (key, version, mtime, expiry, user_meta, value) SELECT n.key, "
                         "nextval('@_version'), $2::int8, n.expiry, n.user_meta, n.value FROM unnest($1::bytea[], "
                         "$3::int8[], $4::bytea[], $5::bytea[]) AS n(key, expiry, user_meta, value) "
                         "ON CONFLICT (key) DO UPDATE SET" REPLACE "RETURNING key, version");
    put(Query::remove, "DELETE FROM @ t WHERE t.key = $1::bytea AND " LIVE("$2"));
    put(Query::remove_any, "DELETE FROM @ t WHERE t.key = $1::bytea");
    put(Query::remove_if_match, "DELETE FROM @ t WHERE t.key = $1::bytea AND t.version = $3::int8 AND " LIVE("$2"));
    put(Query::remove_many,
        "DELETE FROM @ t USING (SELECT o.key FROM unnest($1::bytea[]) AS k(key) JOIN @ o ON o.key = "
        "k.key ORDER BY o.key FOR UPDATE OF o) AS g WHERE t.key = g.key AND " LIVE("$2") " RETURNING t.key");
    put(Query::is_present, "SELECT 1 FROM @ t WHERE t.key = $1::bytea AND " LIVE("$2"));
    put(Query::touch,
        "UPDATE @ t SET expiry = CASE WHEN $3::int8 <> 0 THEN $4::int8 ELSE t.expiry END, user_meta = CASE "
        "WHEN $5::int8 <> 0 THEN $6::bytea ELSE t.user_meta END WHERE t.key = $1::bytea AND " LIVE("$2"));
    put(Query::list, LIST("", ""));
    put(Query::list_meta, LIST(", " META, ""));
    put(Query::list_back, LIST("", "DESC"));
    put(Query::list_meta_back, LIST(", " META, "DESC"));
    put(Query::clear, "DELETE FROM @ t WHERE t.key >= $1::bytea AND t.key < $2::bytea");
    put(Query::clear_some,
        "DELETE FROM @ t USING (SELECT key FROM @ WHERE key >= $1::bytea AND key < $2::bytea ORDER BY "
        "key LIMIT $3::int8 FOR UPDATE) AS g WHERE t.key = g.key RETURNING t.key");
    put(Query::expire,
        "DELETE FROM @ t USING (SELECT key FROM @ WHERE expiry <= $1::int8 ORDER BY expiry LIMIT $2::int8 "
        "FOR UPDATE SKIP LOCKED) AS g WHERE t.key = g.key RETURNING t.key");
    put(Query::next_expiry, "SELECT min(expiry) FROM @");
    return own;
  }();
  return layout;
}

#undef META
#undef LIVE
#undef NEW_VALUE
#undef INSERT
#undef REPLACE
#undef LIST

} // namespace postgres
