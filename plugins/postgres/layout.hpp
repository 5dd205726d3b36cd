// SPDX-License-Identifier: Apache-2.0
// The two layouts of a table, as texts. In them `@` and the suffix after it stand for the table's name with that
// suffix, quoted, and `%` for the name alone.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace postgres {

enum class Query {
  get,
  stat,
  get_many,
  stat_many,
  set,
  set_if_absent,
  set_if_present,
  set_if_match,
  set_many,
  remove,
  remove_any,
  remove_if_match,
  remove_many,
  is_present,
  touch,
  list,
  list_meta,
  list_back,
  list_meta_back,
  clear,
  clear_some,
  expire,
  next_expiry,
};
inline constexpr std::size_t QUERIES = static_cast<std::size_t>(Query::next_expiry) + 1;

/// A value longer than this is not read together with others.
inline constexpr int MOST_TOGETHER = 256 << 10;

struct Layout {
  bool is_db0 = false;
  std::string default_table;
  std::array<std::string, QUERIES> texts; ///< empty: no store of the layout needs the statement
  std::string create;
  // Parts of the triggers: the bytes of a changed row's key, the kind of a removal, and what an update must change.
  std::string old_key, new_key, removal, changed;
};

/// The driver's own layout.
const Layout &own_layout();
/// That of unstorage's `db0` driver. It has no versions, expiries and user meta. The third parameter of a set, which is
/// the expiry in the driver's own layout, is 1 if the value is text and NULL if it is not.
const Layout &db0_layout();

} // namespace postgres
