// SPDX-License-Identifier: Apache-2.0
// The table's two layouts, as statements of SQL. All that the rest of the driver knows of them is what the parameters
// and columns of each statement are.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include <omnistore/driver.h>

namespace sqlite {

class Connection;

/// The statements. Their parameters, if a statement has them:
///   ?1 key  ?2 version  ?3 mtime  ?4 expiry  ?5 user meta  ?6 value  ?7 now  ?8 the version that must be there
/// Those that read one value give: 0 value (for stat: its size)  1 mtime  2 expiry  3 version  4 row  5 user meta.
enum class Query {
  begin,       ///< of a transaction that reads
  begin_write, ///< of one that writes
  commit,
  get,              ///< the value is NULL if it is longer than LONGEST_INLINE
  get_with_version, ///< the same, with the version and the row's number
  get_with_user,    ///< the same, with user meta too
  stat,
  stat_with_user,
  set,
  set_if_absent,
  set_if_present,
  set_if_match,
  remove, ///< only a live value
  remove_if_match,
  remove_any, ///< also one that has expired
  touch_expiry,
  touch_user,
  touch_both,
  is_absent,      ///< a row if there is no live value
  list,           ///< ?1 from  ?2 before  ?7 now: keys
  list_meta,      ///< the same: key, size, mtime, expiry, version
  list_back,      ///< in descending order
  list_meta_back, ///< likewise
  clear,          ///< ?1 from  ?2 before  ?3 how many: the keys that it removed
  clear_all,
  expire,      ///< ?7 now  ?3 how many: the keys that it removed
  next_expiry, ///< NULL: there is none
  last_change,
  changes, ///< ?1 after: number, key, kind (0 set, 1 removed, 2 expired)
  data_version,
  count
};

/// Longer values are read and written a part at a time.
constexpr std::size_t LONGEST_INLINE = 256 << 10;

class Layout {
public:
  /// An empty name stands for the layout's own.
  Layout(bool db0, const std::string &table);

  bool is_db0() const noexcept { return db0_; }
  const std::string &table() const noexcept { return table_; }
  const std::string &sql(Query query) const noexcept { return sql_[static_cast<std::size_t>(query)]; }

  /// Takes away what this layout cannot do.
  void limit(omnistore_traits &traits) const;
  /// Makes the table if it is missing, and checks that this driver can use it. Throws Failure.
  void prepare(Connection &connection, bool may_create) const;
  /// Makes the table of changes and the triggers that fill it, if they are missing.
  void prepare_changes(Connection &writer) const;
  /// The table of changes.
  std::string changes() const { return table_ + "_changes"; }

private:
  std::string filled(std::string text) const;
  void create(Connection &connection) const;

  bool db0_;
  std::string table_;
  std::array<std::string, static_cast<std::size_t>(Query::count)> sql_;
};

} // namespace sqlite
