// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

namespace omnistore::routes {

/// The parameters of a listing's query: depth, limit, cursor, start, end, reverse and folders. With folders the depth
/// is 0 unless the query has one.
struct ListQuery {
  ListOptions options;
  bool paged = false; ///< it has a limit: the response is one page

  /// Throws Error(invalid) if a parameter is wrong.
  static ListQuery parse(std::string_view query);
  /// The query of the next page, which begins at `cursor`.
  std::string next(std::string_view cursor) const;
};

} // namespace omnistore::routes
