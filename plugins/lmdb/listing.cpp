// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/etag_number.hpp>
#include <omnistore/value.hpp>

#include "record.hpp"

namespace lmdb {
namespace {

using omnistore::as_bytes, omnistore::as_view;

/// A page ends early when its keys have so many bytes.
constexpr std::size_t MOST_BYTES = 1 << 20;
/// After so many keys the deadline is looked at.
constexpr unsigned CHECK_EVERY = 4096;

struct Item {
  std::size_t end; ///< of its key in the text of all keys; the key before it ends at its start
  Head head;
  std::uint64_t size;
};

/// A page's keys, outside of the map.
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

Keys find(omnistore::Call call, Environment &environment, std::int64_t now, const omnistore_list_request &request) {
  const Reader reader(environment, call);
  MDB_cursor *raw = nullptr;
  environment.check(mdb_cursor_open(reader.txn(), environment.values(), &raw));
  const std::unique_ptr<MDB_cursor, void (*)(MDB_cursor *)> cursor(raw, mdb_cursor_close);
  const std::string_view base = as_view(request.base), after = as_view(request.cursor);
  std::string from(after.empty() ? base : after);
  Keys keys;
  MDB_val key = val(from), value;
  MDB_cursor_op step = from.empty() ? MDB_FIRST : MDB_SET_RANGE;
  for (unsigned count = 1;; ++count) {
    const int code = mdb_cursor_get(raw, &key, &value, step);
    if (code == MDB_NOTFOUND) break;
    environment.check(code);
    const std::string_view name = view(key);
    if (!name.starts_with(base)) break;
    if (count % CHECK_EVERY == 0 && call.remaining() == 0)
      throw omnistore::Failure(call.late(), "the keys were not read in time");
    step = MDB_NEXT;
    if (const std::size_t folder = folder_of(request, name)) {
      from.assign(name.substr(0, folder)).back() = ':' + 1; // after all keys in the folder
      key = val(from), step = MDB_SET_RANGE;
      continue;
    }
    if (!after.empty() && name == after) continue;
    const Record record(value);
    if (!record.head.is_live(now)) continue;
    if (keys.items.size() == request.limit || keys.text.size() >= MOST_BYTES) {
      keys.more = true;
      break;
    }
    keys.text += name;
    keys.items.push_back({keys.text.size(), record.head, record.value.size()});
  }
  return keys;
}

} // namespace

omnistore_status list(omnistore::Call call, Environment &environment, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page) {
  const std::string_view cursor = as_view(request.cursor);
  if (cursor.size() > environment.longest_key() || (!cursor.empty() && !cursor.starts_with(as_view(request.base))))
    return call.fail(OMNISTORE_INVALID, "the cursor is none of this listing");
  if (request.base.size > environment.longest_key()) return OMNISTORE_OK;
  const Keys keys = find(call, environment, now, request);
  std::size_t begin = 0;
  std::string_view key;
  for (const Item &item : keys.items) {
    key = std::string_view(keys.text).substr(begin, item.end - begin);
    begin = item.end;
    omnistore_meta meta = omnistore::make_meta(item.size, item.head.mtime, item.head.expiry);
    const omnistore::NumberEtag etag(item.head.version);
    meta.etag = as_bytes(etag.text());
    const omnistore_status status =
        page.emit(&page, as_bytes(key), request.flags & OMNISTORE_LIST_META ? &meta : nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if (keys.more) page.next(&page, as_bytes(key));
  return OMNISTORE_OK;
}

} // namespace lmdb
