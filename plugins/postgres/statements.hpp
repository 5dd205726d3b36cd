// SPDX-License-Identifier: Apache-2.0
// The texts of all statements, and the table that they work on.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include <omnistore/call.hpp>

namespace postgres {

class Connection;

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

class Statements {
public:
  explicit Statements(const std::string &table);
  const std::string &text(Query query) const { return texts_[static_cast<std::size_t>(query)]; }
  /// The channel on which the triggers notify.
  const std::string &channel() const { return table_; }

  /// Creates the table if it is missing, and checks that its version is one that the driver knows.
  void prepare_table(Connection &connection, omnistore::Call call) const;
  void install_triggers(Connection &connection, omnistore::Call call) const;
  bool has_triggers(Connection &connection, omnistore::Call call) const;

private:
  std::string table_;
  std::array<std::string, QUERIES> texts_;
};

} // namespace postgres
