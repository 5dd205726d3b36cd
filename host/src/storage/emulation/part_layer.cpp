// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/child.hpp>
#include <omnistore/listing.hpp>

#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/emulation/layers.hpp"

namespace omnistore {
namespace {

bool wants_folders(const omnistore_list_request &request) {
  return request.flags & OMNISTORE_LIST_FOLDERS && request.depth != OMNISTORE_ANY_DEPTH;
}

/// The keys under the base that lie in folders have to be seen too.
constexpr std::uint32_t every_depth = OMNISTORE_ANY_DEPTH;

omnistore_status refuse_cursor(omnistore_call *call) {
  return fail(call, OMNISTORE_INVALID, "the cursor is not one of such a listing");
}

/// The last folder of a page, which must not come again on the next one, is a number before the driver's cursor.
using FolderMark = std::uint64_t;
FolderMark mark_of(std::string_view folder) { return std::hash<std::string_view>()(folder); }

/// A name of a page that is gathered before it is given.
struct Gathered {
  explicit Gathered(const omnistore_meta *from) : has_meta(from != nullptr) {
    if (!from) return;
    meta = whole(*from);
    etag = as_view(meta.etag);
    user = as_view(meta.user);
  }
  omnistore_status emit(omnistore_page *page, std::string_view name) {
    meta.etag = as_bytes(etag);
    meta.user = as_bytes(user);
    return page->emit(page, as_bytes(name), has_meta ? &meta : nullptr);
  }
  bool has_meta;
  omnistore_meta meta{};
  std::string etag, user;
};

class PartLayer {
public:
  PartLayer(Functions &stack, const omnistore_traits &traits);

private:
  omnistore_status list(omnistore_call *call, const omnistore_list_request *request, omnistore_page *page);
  omnistore_status jump(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_status filter(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_status sort(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page);
  omnistore_list_request plain(const omnistore_list_request &request) const;

  const Functions below_;
  const bool has_range_, has_reverse_, has_folders_, ordered_;
};

PartLayer::PartLayer(Functions &stack, const omnistore_traits &traits)
    : below_(stack), has_range_(traits.capabilities & OMNISTORE_CAN_LIST_RANGE),
      has_reverse_(traits.capabilities & OMNISTORE_CAN_LIST_REVERSE && traits.order >= OMNISTORE_ORDER_KEYS),
      has_folders_(traits.capabilities & OMNISTORE_CAN_LIST_FOLDERS && traits.capabilities & OMNISTORE_CAN_DEPTH),
      ordered_(traits.order >= OMNISTORE_ORDER_KEYS) {
  stack.list.bind<&PartLayer::list>(*this);
}

omnistore_status PartLayer::list(omnistore_call *call, const omnistore_list_request *request, omnistore_page *page) {
  if (request->flags & OMNISTORE_LIST_REVERSE && !has_reverse_)
    return fail(call, OMNISTORE_UNSUPPORTED, "this store cannot list in descending order");
  if (wants_folders(*request)) {
    if (!ordered_) return sort(call, *request, page);
    if (!has_folders_) return has_range_ ? jump(call, *request, page) : filter(call, *request, page);
  }
  if ((request->start.size != 0 || request->end.size != 0) && !has_range_) return filter(call, *request, page);
  const omnistore_list_request keys = plain(*request);
  return below_.list(call, &keys, page);
}

/// The request for the keys that the names are made of.
omnistore_list_request PartLayer::plain(const omnistore_list_request &request) const {
  omnistore_list_request keys = request;
  if (!has_range_) keys.start = keys.end = {};
  if (wants_folders(request) && !has_folders_) keys.depth = every_depth;
  if (!has_folders_) keys.flags &= ~OMNISTORE_LIST_FOLDERS;
  return keys;
}

/// Goes from folder to folder: lists a few keys, and begins again after the folder that the last one lies in. The
/// cursor is the last name.
omnistore_status PartLayer::jump(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  constexpr std::uint32_t few = 16, many = 1000;
  std::string last(as_view(request.cursor)), cursor;
  if (!last.empty() && !last.starts_with(as_view(request.base))) return refuse_cursor(call);
  std::uint32_t left = request.limit, ahead = few;
  CursorCheck cursors;
  for (;;) {
    const KeyBounds bounds(request, last);
    if (bounds.empty()) return OMNISTORE_OK;
    omnistore_list_request keys = plain(request);
    keys.start = as_bytes(bounds.from);
    keys.end = as_bytes(bounds.to);
    keys.cursor = as_bytes(cursor);
    keys.limit = std::min(ahead, left);
    bool given = false;
    PageSink found([&](std::string_view key, const omnistore_meta *meta) -> omnistore_status {
      const std::string_view name = listed(request, key);
      if (name.empty() || name == last || left == 0) return OMNISTORE_OK;
      last = name;
      given = true;
      --left;
      return page->emit(page, as_bytes(name), name.size() == key.size() ? meta : nullptr);
    });
    omnistore_status status = below_.list(call, &keys, &found);
    if (status == OMNISTORE_OK) status = pass_on(found.skipped, *page);
    if (status != OMNISTORE_OK || found.cursor.empty()) return status;
    if (left == 0) return page->next(page, as_bytes(last)), OMNISTORE_OK;
    if (call->remaining(call) == 0) return fail(call, late(call), "the time was up when a part was listed");
    ahead = last.ends_with(':') ? few : std::min(many, 4 * ahead);
    cursor = given ? std::string() : std::move(found.cursor);
    if (given) cursors = {};
    if (cursors.repeats(cursor)) return fail(call, OMNISTORE_INTERNAL, endless_listing);
  }
}

/// Gives those of a page of the driver's keys that the request wants. In the order of keys it gives folders too, and
/// ends with the range.
omnistore_status PartLayer::filter(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  const bool adds_folders = wants_folders(request) && !has_folders_;
  std::string_view cursor = as_view(request.cursor);
  FolderMark mark = 0;
  if (adds_folders && !cursor.empty()) {
    if (cursor.size() <= sizeof mark) return refuse_cursor(call);
    std::memcpy(&mark, cursor.data(), sizeof mark);
    cursor.remove_prefix(sizeof mark);
  }
  const KeyBounds bounds(request);
  if (bounds.empty()) return OMNISTORE_OK;
  omnistore_list_request keys = plain(request);
  keys.cursor = as_bytes(cursor);
  const bool descends = request.flags & OMNISTORE_LIST_REVERSE;
  bool over = false;
  std::string folder;
  PageSink found([&](std::string_view key, const omnistore_meta *meta) -> omnistore_status {
    over = over || (ordered_ && (descends ? key < bounds.from : !bounds.reaches(key)));
    const std::string_view name = over ? std::string_view() : listed(request, key);
    if (name.empty() || name == folder) return OMNISTORE_OK;
    if (name.size() == key.size()) return page->emit(page, as_bytes(key), meta);
    folder = name;
    return mark_of(name) == mark ? OMNISTORE_OK : page->emit(page, as_bytes(name), nullptr);
  });
  omnistore_status status = below_.list(call, &keys, &found);
  if (status == OMNISTORE_OK) status = pass_on(found.skipped, *page);
  if (status != OMNISTORE_OK || found.cursor.empty() || over) return status;
  if (adds_folders) {
    if (!folder.empty()) mark = mark_of(folder);
    found.cursor.insert(0, reinterpret_cast<const char *>(&mark), sizeof mark);
    if (found.cursor.size() > OMNISTORE_MAX_CURSOR_SIZE)
      return fail(call, OMNISTORE_TOO_LARGE, "a listing with folders cannot stop here; use another limit");
  }
  page->next(page, as_bytes(found.cursor));
  return OMNISTORE_OK;
}

/// Reads all keys and gives the first names after the cursor, which is the last name of the page before.
omnistore_status PartLayer::sort(omnistore_call *call, const omnistore_list_request &request, omnistore_page *page) {
  const std::string_view last = as_view(request.cursor);
  const KeyBounds bounds(request);
  if (bounds.empty()) return OMNISTORE_OK;
  omnistore_list_request keys = plain(request);
  if (has_range_) {
    keys.start = as_bytes(bounds.from);
    keys.end = as_bytes(bounds.to);
  }
  keys.limit = 1000;
  const std::size_t wanted = std::size_t{request.limit} + 1; // one more shows whether there is a next page
  std::map<std::string, Gathered, std::less<>> names;
  std::string cursor;
  CursorCheck cursors;
  do {
    keys.cursor = as_bytes(cursor);
    PageSink found([&](std::string_view key, const omnistore_meta *meta) -> omnistore_status {
      const std::string_view name = listed(request, key);
      if (name.empty() || name <= last || names.contains(name)) return OMNISTORE_OK;
      if (names.size() == wanted) {
        if (name > names.rbegin()->first) return OMNISTORE_OK;
        names.erase(std::prev(names.end()));
      }
      names.emplace(name, Gathered(name.size() == key.size() ? meta : nullptr));
      return OMNISTORE_OK;
    });
    omnistore_status status = below_.list(call, &keys, &found);
    if (status == OMNISTORE_OK) status = pass_on(found.skipped, *page);
    if (status != OMNISTORE_OK) return status;
    if (call->remaining(call) == 0) return fail(call, late(call), "the time was up when a part was listed");
    cursor = std::move(found.cursor);
    if (cursors.repeats(cursor)) return fail(call, OMNISTORE_INTERNAL, endless_listing);
  } while (!cursor.empty());
  std::uint32_t left = request.limit;
  std::string_view before;
  for (auto &[name, gathered] : names) {
    if (left-- == 0) return page->next(page, as_bytes(before)), OMNISTORE_OK;
    if (const omnistore_status status = gathered.emit(page, name); status != OMNISTORE_OK) return status;
    before = name;
  }
  return OMNISTORE_OK;
}

} // namespace

Layer stack_parts(Functions &stack, const omnistore_traits &traits) {
  return std::make_shared<PartLayer>(stack, traits);
}

} // namespace omnistore
