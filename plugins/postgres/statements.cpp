// SPDX-License-Identifier: Apache-2.0
#include "statements.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <omnistore/failure.hpp>

#include "connection.hpp"

namespace postgres {
namespace {

constexpr int SCHEMA = 1;

/// Replaces `@` and the suffix after it by the table's name with that suffix, quoted, and `%` by the name alone.
std::string filled(std::string_view text, const std::string &table) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out += table;
    } else if (text[i] == '@') {
      const std::size_t end = std::min(text.find_first_not_of("_abcdefghijklmnopqrstuvwxyz", i + 1), text.size());
      out.append("\"").append(table).append(text.substr(i + 1, end - i - 1)).append("\"");
      i = end - 1;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

constexpr std::string_view TRIGGERS = R"(
  CREATE OR REPLACE FUNCTION @_notify() RETURNS trigger LANGUAGE plpgsql AS $body$
  BEGIN
    IF TG_OP = 'TRUNCATE' THEN
      PERFORM pg_notify('%', 'c');
    ELSIF TG_OP = 'DELETE' THEN
      PERFORM pg_notify('%', {removal}
                             || encode({old}, 'hex'));
    ELSE
      IF TG_OP = 'UPDATE' AND OLD.key <> NEW.key THEN
        PERFORM pg_notify('%', 'r' || encode({old}, 'hex'));
      END IF;
      PERFORM pg_notify('%', 'u' || encode({new}, 'hex'));
    END IF;
    RETURN NULL;
  END $body$;
  CREATE OR REPLACE TRIGGER @_changed AFTER INSERT OR DELETE ON @ FOR EACH ROW EXECUTE FUNCTION @_notify();
  CREATE OR REPLACE TRIGGER @_updated AFTER UPDATE ON @ FOR EACH ROW
    WHEN ({changed})
    EXECUTE FUNCTION @_notify();
  CREATE OR REPLACE TRIGGER @_truncated AFTER TRUNCATE ON @ FOR EACH STATEMENT EXECUTE FUNCTION @_notify();
)";

const std::string &lock() { // two hosts may create the table at once
  static const std::string text = "BEGIN; SELECT pg_advisory_xact_lock(1332571753); ";
  return text;
}

void in_transaction(Connection &connection, omnistore::Call call, const std::string &sql) {
  try {
    connection.text(call, lock() + sql + "COMMIT");
  } catch (const omnistore::Failure &) {
    if (!connection.is_broken()) connection.text(call, "ROLLBACK");
    throw;
  }
}

} // namespace

Statements::Statements(bool db0, const std::string &table)
    : layout_(db0 ? db0_layout() : own_layout()), table_(table.empty() ? layout_.default_table : table) {
  for (std::size_t i = 0; i < QUERIES; ++i) texts_[i] = filled(layout_.texts[i], table_);
}

std::string Statements::bound(std::string_view text) const {
  if (!layout_.is_db0) return std::string(text);
  if (text == NO_KEY) return "\U0010ffff"; // a column of text has no other bytes, and no key begins with this character
  std::string bound(text);
  std::replace(bound.begin(), bound.end(), '\0', '\1'); // likewise, and no key has a NUL
  return bound;
}

void Statements::limit(omnistore_traits &traits) const {
  if (!layout_.is_db0) return;
  traits.capabilities &= ~(OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_MATCH |
                           OMNISTORE_CAN_LIST_RANGE);
  traits.max_key_size = 255; // the column's characters
}

void Statements::prepare_table(Connection &connection, omnistore::Call call) const {
  const auto run = [&](const char *text) { return connection.text(call, filled(text, table_)); };
  if (run("SELECT to_regclass('@') IS NOT NULL").bytes(0, 0) == "f")
    in_transaction(connection, call, filled(layout_.create, table_));
  if (layout_.is_db0)
    prepare_db0(connection, call);
  else
    check_comment(run("SELECT coalesce(obj_description(to_regclass('@'), 'pg_class'), '')").bytes(0, 0));
}

void Statements::check_comment(std::string_view comment) const {
  constexpr std::string_view ours = "omnistore schema ";
  if (!comment.starts_with(ours))
    throw omnistore::Failure(OMNISTORE_INVALID, "the table " + table_ + " is not the driver's: its comment is not \"" +
                                                    std::string(ours) +
                                                    "1\"; the options layout and table say which table is meant");
  const std::string_view number = comment.substr(ours.size());
  int version = 0;
  std::from_chars(number.data(), number.data() + number.size(), version);
  if (version != SCHEMA)
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, "the table " + table_ + " has schema " + std::string(number) +
                                                        ", from a newer version of the driver; this one knows schema " +
                                                        std::to_string(SCHEMA));
}

/// A listing needs an index in the order of bytes. If the user may not make it, the server sorts all keys.
void Statements::prepare_db0(Connection &connection, omnistore::Call call) const {
  const auto run = [&](const char *text) { return connection.text(call, filled(text, table_)); };
  if (run("SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('@') AND NOT attisdropped AND attname IN "
          "('key', 'value', 'blob', 'created_at', 'updated_at')")
          .bytes(0, 0) != "5")
    throw omnistore::Failure(OMNISTORE_INVALID, "the table " + table_ +
                                                    " is not one of unstorage's db0 driver: it lacks a column of key, "
                                                    "value, blob, created_at, updated_at");
  if (run("SELECT to_regclass('@_omnistore') IS NOT NULL").bytes(0, 0) == "t") return;
  try {
    in_transaction(connection, call,
                   filled("CREATE INDEX IF NOT EXISTS @_omnistore ON @ (key COLLATE \"C\"); ", table_));
  } catch (const omnistore::Failure &failure) {
    if (failure.status() != OMNISTORE_DENIED && failure.status() != OMNISTORE_READ_ONLY) throw;
  }
}

void Statements::install_triggers(Connection &connection, omnistore::Call call) const {
  if (has_triggers(connection, call)) return;
  std::string sql(TRIGGERS);
  for (const auto &[mark, with] : {std::pair<std::string_view, const std::string &>{"{old}", layout_.old_key},
                                   {"{new}", layout_.new_key},
                                   {"{removal}", layout_.removal},
                                   {"{changed}", layout_.changed}})
    for (std::size_t at = 0; (at = sql.find(mark, at)) != sql.npos;) sql.replace(at, mark.size(), with);
  in_transaction(connection, call, filled(sql, table_));
}

bool Statements::has_triggers(Connection &connection, omnistore::Call call) const {
  return connection
             .text(call, filled("SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('@') AND tgenabled <> 'D' "
                                "AND tgname IN ('%_changed', '%_updated', '%_truncated')",
                                table_))
             .bytes(0, 0) == "3";
}

} // namespace postgres
