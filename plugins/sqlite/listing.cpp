// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>
#include <vector>

#include <omnistore/value.hpp>

#include "reading.hpp"

namespace sqlite {
namespace {

using omnistore::as_bytes, omnistore::as_view;

/// A page ends early when its keys have so many bytes.
constexpr std::size_t MOST_BYTES = 1 << 20;

struct Item {
  std::size_t end; ///< of its key in the text of all keys; the key before it ends at its start
  Known known;
};

/// A page's keys, outside of SQLite's memory.
struct Keys {
  std::string text;
  std::vector<Item> items;
  bool more = false;
};

/// How much of the key names the folder that lies too deep to be listed, with its ':'; 0: the key is listed.
std::size_t folder_of(const omnistore_list_request &request, std::string_view key) {
  if (request.depth == OMNISTORE_ANY_DEPTH) return 0;
  std::uint32_t depth = 0;
  for (std::size_t i = static_cast<std::size_t>(request.base.size); i < key.size(); ++i)
    if (key[i] == ':' && ++depth > request.depth) return i + 1;
  return 0;
}

Keys find(Connection &reader, std::int64_t now, const omnistore_list_request &request) {
  const bool with_meta = request.flags & OMNISTORE_LIST_META;
  const std::string_view base = as_view(request.base);
  const std::string before = end_of(base);
  std::string after(std::max(base, as_view(request.cursor)));
  Keys found;
  Run run(reader, with_meta ? Query::list_meta : Query::list);
  run.text(1, after).text(2, before);
  if (run.takes(7)) run.integer(7, now);
  while (run.row()) {
    const std::string_view key = run.bytes_at(0);
    if (const std::size_t folder = folder_of(request, key)) {
      after.assign(key.substr(0, folder)).push_back('\xff'); // no key has this byte
      run.again();
      run.text(1, after);
      continue;
    }
    if (found.items.size() == request.limit || found.text.size() >= MOST_BYTES) {
      found.more = true;
      break;
    }
    found.text += key;
    Item &item = found.items.emplace_back(Item{found.text.size(), {}});
    if (with_meta) {
      item.known.size = static_cast<std::uint64_t>(run.integer_at(1));
      item.known.mtime = run.integer_at(2);
      item.known.expiry = run.integer_at(3);
      item.known.version = run.integer_at(4);
    }
  }
  return found;
}

} // namespace

std::string end_of(std::string_view base) {
  if (base.empty()) return "\xff";
  std::string end(base.substr(0, base.size() - 1));
  end.push_back(':' + 1);
  return end;
}

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
        request.flags & OMNISTORE_LIST_META
            ? item.known.with_meta(OMNISTORE_GET_META, gives_etags, key,
                                   [&](const omnistore_meta &meta) { return page.emit(&page, as_bytes(key), &meta); })
            : page.emit(&page, as_bytes(key), nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if (found.more) page.next(&page, as_bytes(key));
  return OMNISTORE_OK;
}

} // namespace sqlite
