// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <omnistore/listing.hpp>

#include "gets.hpp"

namespace postgres {
namespace {

using omnistore::as_bytes, omnistore::as_view;

/// How many rows one statement reads at most.
constexpr std::int64_t MOST_ROWS = 1000;

struct Item {
  std::string name;
  bool is_key;
  Found found;
};

struct Names {
  std::vector<Item> items;
  std::string last; ///< the last name that was shown or passed over
  bool more = false;
};

Names find(Connection &connection, omnistore::Call call, const Statements &statements, std::int64_t now,
           const omnistore_list_request &request) {
  const bool back = request.flags & OMNISTORE_LIST_REVERSE, meta = request.flags & OMNISTORE_LIST_META;
  const Query query = meta ? back ? Query::list_meta_back : Query::list_meta : back ? Query::list_back : Query::list;
  Names names;
  names.last = as_view(request.cursor);
  for (bool ended = false; !ended;) {
    const omnistore::KeyBounds bounds(request, names.last);
    if (bounds.empty()) return names;
    const std::int64_t most =
        std::min<std::int64_t>(MOST_ROWS, static_cast<std::int64_t>(request.limit - names.items.size()) + 1);
    const std::string from = statements.bound(bounds.from),
                      to = statements.bound(bounds.to.empty() ? NO_KEY : std::string_view(bounds.to));
    const Rows rows = connection.run(call, query, Params().bytes(from).bytes(to).integer(now).integer(most));
    ended = rows.count() < most;
    for (int row = 0; row < rows.count(); ++row) {
      const std::string_view key = rows.bytes(row, 0);
      const std::string_view folder = omnistore::folder_of(request, key);
      if (!folder.empty() && folder == names.last) continue; // passed over already
      if (names.items.size() == request.limit) {
        names.more = true;
        return names;
      }
      const std::string_view name = omnistore::listed(request, key);
      if (!name.empty()) {
        Item &item = names.items.emplace_back(Item{std::string(name), name.size() == key.size(), {}});
        if (meta && item.is_key) item.found.take(rows, row, 1);
      }
      names.last = folder.empty() ? key : folder;
    }
  }
  return names;
}

} // namespace

omnistore_status list(omnistore::Call call, Pool &pool, const Statements &statements, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page) {
  if (const std::string_view cursor = as_view(request.cursor);
      !cursor.empty() && !cursor.starts_with(as_view(request.base)))
    return call.fail(OMNISTORE_INVALID, "the cursor is none of this listing");
  const Names names =
      reading(pool, call, [&](Connection &connection) { return find(connection, call, statements, now, request); });
  for (const Item &item : names.items) {
    const omnistore_status status = item.is_key && (request.flags & OMNISTORE_LIST_META)
                                        ? item.found.with_meta(OMNISTORE_GET_META, item.name,
                                                               [&](const omnistore_meta &meta) {
                                                                 return page.emit(&page, as_bytes(item.name), &meta);
                                                               })
                                        : page.emit(&page, as_bytes(item.name), nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if (names.more) page.next(&page, as_bytes(names.last));
  return OMNISTORE_OK;
}

} // namespace postgres
