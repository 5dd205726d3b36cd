// SPDX-License-Identifier: Apache-2.0
// The texts of all statements, and the table that they work on.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

#include "layout.hpp"

namespace postgres {

class Connection;

/// The upper bound of a listing that has none: no key has this byte.
inline constexpr std::string_view NO_KEY = "\xff";

class Statements {
public:
  /// An empty name stands for the layout's own.
  Statements(bool db0, const std::string &table);
  bool is_db0() const { return layout_.is_db0; }
  const std::string &text(Query query) const { return texts_[static_cast<std::size_t>(query)]; }
  /// The channel on which the triggers notify.
  const std::string &channel() const { return table_; }

  /// A bound of keys, as the layout's statements take it.
  std::string bound(std::string_view text) const;
  /// Takes away what the layout cannot do.
  void limit(omnistore_traits &traits) const;

  /// Creates the table if it is missing, and checks that its version is one that the driver knows.
  void prepare_table(Connection &connection, omnistore::Call call) const;
  void install_triggers(Connection &connection, omnistore::Call call) const;
  bool has_triggers(Connection &connection, omnistore::Call call) const;

private:
  void check_comment(std::string_view comment) const;
  void prepare_db0(Connection &connection, omnistore::Call call) const;

  const Layout &layout_;
  const std::string table_;
  std::array<std::string, QUERIES> texts_;
};

} // namespace postgres
