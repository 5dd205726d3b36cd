// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>
#include <cstddef>

#include <omnistore/failure.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/value.hpp>

namespace s3 {
namespace {

/// The greatest character: a folder's name and this come after all of the folder's objects.
constexpr std::string_view LAST = "\xF4\x8F\xBF\xBF";
constexpr std::uint32_t MOST_KEYS = 1000;
/// So many requests are made for one page at most: a page may be short.
constexpr int MOST_REQUESTS = 32;

/// Returns the folder to list for what comes after `position`: the deepest one that the depth lets in. `base` is the
/// prefix of the listing. The position of a folder that is done ends in LAST.
std::string folder_at(const std::string &base, std::string_view position, std::uint32_t depth) {
  if (position.size() < base.size()) return base;
  if (position.ends_with(LAST)) {
    position.remove_suffix(LAST.size());
    if (position.size() > base.size() && position.ends_with('/')) position.remove_suffix(1);
  }
  std::size_t end = base.size();
  for (std::uint32_t level = 0; level < depth; ++level) {
    const std::size_t slash = position.find('/', end);
    if (slash == position.npos) break;
    end = slash + 1;
  }
  return std::string(position.substr(0, end));
}

class Walk {
public:
  Walk(Bucket &bucket, omnistore::Call call, const omnistore_list_request &request, omnistore_page &page)
      : bucket_(bucket), call_(call), request_(request), page_(page),
        base_(bucket.name_of(omnistore::as_view(request.base))),
        bound_(bound_after(bucket.settings().base, omnistore::as_view(request.end))) {
    const std::string &all = bucket.settings().base;
    if (request.cursor.size != 0) {
      position_ = omnistore::as_view(request.cursor);
      if (!position_.starts_with(base_))
        throw omnistore::Failure(OMNISTORE_INVALID, "the cursor is of another listing");
    } else {
      position_ = position_before(all, omnistore::as_view(request.start));
      if (position_ < base_) position_ = base_;
    }
  }

  omnistore_status run() {
    // A start beyond the base's keys: no name of the base can follow.
    if (!position_.starts_with(base_)) return OMNISTORE_OK;
    for (int requests = 0; requests < MOST_REQUESTS; ++requests) {
      const bool flat = request_.depth == OMNISTORE_ANY_DEPTH;
      const std::string folder = flat ? base_ : folder_at(base_, position_, request_.depth);
      const Listing listing = fetch(bucket_, call_, folder, position_ == folder ? std::string() : position_,
                                    std::min(request_.limit - emitted_, MOST_KEYS), !flat);
      bool descends = false;
      for (const Object &entry : listing.entries) {
        if (is_done(entry)) continue;
        if (!bound_.empty() && entry.name > bound_) return OMNISTORE_OK;
        if (emitted_ == request_.limit) return next();
        if (entry.is_folder && may_enter(entry.name)) {
          if (!position_.starts_with(entry.name)) position_ = entry.name;
          descends = true;
          break;
        }
        if (const omnistore_status status = show(entry); status != OMNISTORE_OK) return status;
        position_ = entry.is_folder ? entry.name + std::string(LAST) : entry.name;
      }
      if (descends) continue;
      if (!listing.truncated) {
        if (folder == base_) return OMNISTORE_OK;
        position_ = folder + std::string(LAST);
      } else if (listing.entries.empty()) {
        throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server sent an empty page that has a next one");
      }
      if (emitted_ == request_.limit) return next();
    }
    return next();
  }

private:
  /// A folder may hold further names although its own comes before the position.
  bool is_done(const Object &entry) const {
    if (entry.name > position_) return false;
    return !entry.is_folder || !position_.starts_with(entry.name) || position_ == entry.name + std::string(LAST);
  }

  /// Returns true if the depth lets keys in this folder in.
  bool may_enter(std::string_view folder) const {
    const std::string_view below = folder.substr(base_.size());
    return static_cast<std::uint32_t>(std::count(below.begin(), below.end(), '/')) <= request_.depth;
  }

  omnistore_status show(const Object &entry) {
    std::string name = entry.name;
    if (entry.is_folder) {
      if (!(request_.flags & OMNISTORE_LIST_FOLDERS)) return OMNISTORE_OK;
      name.pop_back();
    }
    std::string key = bucket_.key_of(name);
    if (key.empty()) return OMNISTORE_OK; // an object that stands for no key
    if (entry.is_folder) key += ':';
    if (!omnistore::in_range(request_, key)) return OMNISTORE_OK;
    ++emitted_;
    if (entry.is_folder || !(request_.flags & OMNISTORE_LIST_META))
      return page_.emit(&page_, omnistore::as_bytes(key), nullptr);
    omnistore_meta meta = omnistore::make_meta(entry.size, entry.mtime);
    meta.etag = omnistore::as_bytes(entry.etag);
    return page_.emit(&page_, omnistore::as_bytes(key), &meta);
  }

  omnistore_status next() {
    page_.next(&page_, omnistore::as_bytes(position_));
    return OMNISTORE_OK;
  }

  Bucket &bucket_;
  const omnistore::Call call_;
  const omnistore_list_request &request_;
  omnistore_page &page_;
  const std::string base_;
  const std::string bound_;
  std::string position_; ///< every name up to it is done; it is the cursor too
  std::uint32_t emitted_ = 0;
};

} // namespace

std::string position_before(const std::string &base, std::string_view start) {
  if (start.empty()) return {};
  const std::size_t digit = start.find_first_of("0123456789");
  std::string name = base + slashed(start.substr(0, digit));
  if (digit != start.npos) return name + "." + std::string(LAST); // '/' and the digits come after '.'
  const auto last = static_cast<unsigned char>(name.back());
  name.pop_back();
  // The greatest name before it, if its last character is ASCII; else a lesser one.
  if (last > ' ' && last < 0x80) return name + static_cast<char>(last - 1) + std::string(LAST);
  while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0x80) != 0) name.pop_back();
  return name;
}

std::string bound_after(const std::string &base, std::string_view end) {
  if (end.empty()) return {};
  const std::size_t colon = end.find(':');
  // Keys that have a digit in the place of the ':' are less than `end`, and come after '/'.
  return base + std::string(end.substr(0, colon)) + (colon == end.npos ? "" : ":");
}

Listing fetch(Bucket &bucket, omnistore::Call call, const std::string &prefix, const std::string &position,
              std::uint32_t limit, bool folders) {
  Request request;
  request.query = {{"list-type", "2"}, {"max-keys", std::to_string(limit)}, {"encoding-type", "url"}};
  if (!prefix.empty()) request.query.emplace_back("prefix", prefix);
  if (!position.empty()) request.query.emplace_back("start-after", position);
  if (folders) request.query.emplace_back("delimiter", "/");
  std::string text;
  bucket.send(call, request, text);
  return listing_in(text);
}

omnistore_status list(Bucket &bucket, omnistore::Call call, const omnistore_list_request &request,
                      omnistore_page &page) {
  if (request.end.size != 0 && omnistore::as_view(request.start) >= omnistore::as_view(request.end))
    return OMNISTORE_OK;
  return Walk(bucket, call, request, page).run();
}

} // namespace s3
