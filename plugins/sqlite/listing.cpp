// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <optional>
#include <utility>
#include <vector>

#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

#include "reading.hpp"

namespace sqlite {
namespace {

using omnistore::as_bytes, omnistore::as_view;

/// A page ends early when its keys have so many bytes.
constexpr std::size_t MOST_BYTES = 1 << 20;

struct Item {
  std::size_t end; ///< of its name in the text of all names; the name before it ends at its start
  bool is_key;     ///< else a folder, which has no meta
  Known known;
};

/// A page's names, outside of SQLite's memory.
struct Keys {
  std::string text;
  std::vector<Item> items;
  bool more = false;
};

/// Binds the bounds of keys, and runs the statement from the nearer one again.
void seek(Run &run, const omnistore::KeyBounds &bounds, std::int64_t now) {
  run.again();
  run.text(1, bounds.from).text(2, bounds.to.empty() ? "\xff" : std::string_view(bounds.to)); // no key has this byte
  if (run.takes(7)) run.integer(7, now);
}

Keys find(Connection &reader, std::int64_t now, const omnistore_list_request &request) {
  const bool meta = request.flags & OMNISTORE_LIST_META, folders = request.flags & OMNISTORE_LIST_FOLDERS,
             back = request.flags & OMNISTORE_LIST_REVERSE;
  Keys found;
  std::optional<omnistore::KeyBounds> bounds(std::in_place, request, as_view(request.cursor));
  Run run(reader, meta ? back ? Query::list_meta_back : Query::list_meta : back ? Query::list_back : Query::list);
  for (bool passed = true; passed && !bounds->empty();) {
    seek(run, *bounds, now);
    passed = false;
    while (!passed && run.row()) {
      const std::string_view key = run.bytes_at(0), folder = omnistore::folder_of(request, key);
      if (folder.empty() || folders) {
        if (found.items.size() == request.limit || found.text.size() >= MOST_BYTES) {
          found.more = true;
          return found;
        }
        found.text += folder.empty() ? key : folder;
        Item &item = found.items.emplace_back(Item{found.text.size(), folder.empty(), {}});
        if (meta && item.is_key) {
          item.known.size = static_cast<std::uint64_t>(run.integer_at(1));
          item.known.mtime = run.integer_at(2);
          item.known.expiry = run.integer_at(3);
          item.known.version = run.integer_at(4);
        }
      }
      if (folder.empty()) continue;
      bounds.emplace(request, folder); // the next seek passes over the folder
      passed = true;
    }
  }
  return found;
}

} // namespace

omnistore_status list(omnistore::Call call, Pool &readers, std::int64_t now, bool gives_etags,
                      const omnistore_list_request &request, omnistore_page &page) {
  const std::string_view cursor = as_view(request.cursor);
  if (!cursor.empty() && !cursor.starts_with(as_view(request.base)))
    return call.fail(OMNISTORE_INVALID, "the cursor is none of this listing");
  const Keys found = find(*readers.take(call), now, request);
  const std::string_view text = found.text;
  std::size_t begin = 0;
  std::string_view key;
  for (const Item &item : found.items) {
    key = text.substr(begin, item.end - begin);
    begin = item.end;
    const omnistore_status status =
        item.is_key && (request.flags & OMNISTORE_LIST_META)
            ? item.known.with_meta(OMNISTORE_GET_META, gives_etags, key,
                                   [&](const omnistore_meta &meta) { return page.emit(&page, as_bytes(key), &meta); })
            : page.emit(&page, as_bytes(key), nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if (found.more) page.next(&page, as_bytes(key));
  return OMNISTORE_OK;
}

} // namespace sqlite
