// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/etag_number.hpp>
#include <omnistore/listing.hpp>
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
  std::size_t end; ///< of its name in the text of all names; the name before it ends at its start
  bool is_key;     ///< else a folder, which has no meta
  Head head;
  std::uint64_t size;
};

/// A page's names, outside of the map.
struct Keys {
  std::string text;
  std::vector<Item> items;
  bool more = false;
};

/// Visits the records between bounds, in either direction.
class Walk {
public:
  Walk(const Environment &environment, MDB_txn *txn, bool back) : environment_(environment), back_(back) {
    MDB_cursor *cursor = nullptr;
    environment.check(mdb_cursor_open(txn, environment.values(), &cursor));
    cursor_.reset(cursor);
  }

  /// Goes to the first key between the bounds, or the last one when it walks back. They must stay for as long as it
  /// walks. Returns false if there is none.
  bool seek(const omnistore::KeyBounds &bounds) {
    bounds_ = &bounds;
    const std::string &bound = back_ ? bounds.to : bounds.from;
    // LMDB takes no longer key. None of the database lies between the bound and this part of it but that part itself.
    const std::string_view near = std::string_view(bound).substr(0, environment_.longest_key());
    key_ = val(near);
    if (near.empty()) return get(back_ ? MDB_LAST : MDB_FIRST) && is_between();
    const bool found = get(MDB_SET_RANGE);
    if (back_ ? found && name() < bound : found && name() >= bound) return is_between();
    if (!found && !back_) return false;
    return get(found ? back_ ? MDB_PREV : MDB_NEXT : MDB_LAST) && is_between();
  }
  bool step() { return get(back_ ? MDB_PREV : MDB_NEXT) && is_between(); }

  std::string_view name() const { return view(key_); }
  Record record() const { return Record(value_); }

private:
  bool get(MDB_cursor_op how) {
    const int code = mdb_cursor_get(cursor_.get(), &key_, &value_, how);
    if (code != MDB_NOTFOUND) environment_.check(code);
    return code == MDB_SUCCESS;
  }
  bool is_between() const { return back_ ? name() >= bounds_->from : bounds_->reaches(name()); }

  const Environment &environment_;
  const bool back_;
  const omnistore::KeyBounds *bounds_ = nullptr;
  std::unique_ptr<MDB_cursor, void (*)(MDB_cursor *)> cursor_{nullptr, mdb_cursor_close};
  MDB_val key_{}, value_{};
};

Keys find(omnistore::Call call, Environment &environment, std::int64_t now, const omnistore_list_request &request) {
  const bool folders = request.flags & OMNISTORE_LIST_FOLDERS;
  const Reader reader(environment, call);
  Walk walk(environment, reader.txn(), request.flags & OMNISTORE_LIST_REVERSE);
  std::optional<omnistore::KeyBounds> bounds(std::in_place, request, as_view(request.cursor));
  Keys keys;
  bool there = !bounds->empty() && walk.seek(*bounds);
  for (unsigned count = 1; there; ++count) {
    if (count % CHECK_EVERY == 0 && call.remaining() == 0)
      throw omnistore::Failure(call.late(), "the keys were not read in time");
    const std::string_view folder = omnistore::folder_of(request, walk.name());
    if (folder.empty() || folders) {
      const Record record = walk.record();
      if (!record.head.is_live(now)) { // another key of the folder may be live
        there = walk.step();
        continue;
      }
      if (keys.items.size() == request.limit || keys.text.size() >= MOST_BYTES) {
        keys.more = true;
        break;
      }
      keys.text += folder.empty() ? walk.name() : folder;
      keys.items.push_back({keys.text.size(), folder.empty(), record.head, record.value.size()});
    }
    if (folder.empty()) {
      there = walk.step();
    } else { // a seek passes over the folder
      bounds.emplace(request, folder);
      there = !bounds->empty() && walk.seek(*bounds);
    }
  }
  return keys;
}

} // namespace

omnistore_status list(omnistore::Call call, Environment &environment, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page) {
  const std::string_view cursor = as_view(request.cursor);
  if (!cursor.empty() && !cursor.starts_with(as_view(request.base)))
    return call.fail(OMNISTORE_INVALID, "the cursor is none of this listing");
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
        page.emit(&page, as_bytes(key), item.is_key && (request.flags & OMNISTORE_LIST_META) ? &meta : nullptr);
    if (status != OMNISTORE_OK) return status;
  }
  if (keys.more) page.next(&page, as_bytes(key));
  return OMNISTORE_OK;
}

} // namespace lmdb
