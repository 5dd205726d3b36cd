// SPDX-License-Identifier: Apache-2.0
//
// omnistore/value.hpp - keys, values and meta as C++ has them, and how a driver gives them out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/driver.h>
#include <omnistore/known.hpp>

namespace omnistore {

/// The view of one side as that of the other. Both point to the same bytes.
inline std::string_view as_view(omnistore_bytes bytes) noexcept {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}
constexpr omnistore_bytes as_bytes(std::string_view view) noexcept { return {view.data(), view.size()}; }

/// A value as the simple form gives it.
struct Value {
  std::string bytes;
  std::int64_t mtime = 0; ///< when it was last set, Unix milliseconds; 0: unknown

  Value(std::string value, std::int64_t time = 0) : bytes(std::move(value)), mtime(time) {}
  Value(std::string_view value, std::int64_t time = 0) : bytes(value), mtime(time) {}
  Value(const char *value, std::int64_t time = 0) : bytes(value), mtime(time) {}
};

/// Meta with its size set and nothing known but what is given: bytes, and Unix milliseconds.
constexpr omnistore_meta make_meta(std::uint64_t value_size, std::int64_t mtime = 0, std::int64_t expiry = 0) noexcept {
  return {sizeof(omnistore_meta), 0, value_size, mtime, expiry, {nullptr, 0}, {nullptr, 0}};
}

/// Adds the user's own meta, which is then known: empty says that the value has none. The view is of `user`.
constexpr void add_user(omnistore_meta &meta, std::string_view user) noexcept {
  meta.flags |= OMNISTORE_META_USER;
  meta.user = as_bytes(user);
}

/// Whether the sink takes bytes that the store lends (omnistore_sink.lend).
inline bool takes_loans(const omnistore_sink &sink) { return OMNISTORE_HAS(omnistore_sink, &sink, lend) && sink.lend; }

/// Gives a value out: begin, and a write where there are bytes. Returns the sink's status, which the driver returns in
/// turn. `meta.value_size` is the whole value's, `bytes` the part of it that was asked for.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta, std::string_view bytes) {
  const omnistore_status status = sink.begin(&sink, &meta, nullptr);
  return status != OMNISTORE_OK || bytes.empty() ? status : sink.write(&sink, bytes.data(), bytes.size());
}
/// The same for a whole value of which nothing is known but its bytes.
inline omnistore_status give(omnistore_sink &sink, std::string_view bytes) {
  return give(sink, make_meta(bytes.size()), bytes);
}
/// Gives out meta alone, for stat and for the result of set.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta) {
  return sink.begin(&sink, &meta, nullptr);
}

/// Tells the page that the listing goes on without what lies under `base` (omnistore_page.skip). Returns what the page
/// returns, and OMNISTORE_OK if the host does not know the function.
inline omnistore_status skip(omnistore_page &page, std::string_view base, omnistore_status status,
                             std::string_view message) {
  if (!OMNISTORE_HAS(omnistore_page, &page, skip) || !page.skip) return OMNISTORE_OK;
  return page.skip(&page, as_bytes(base), status, as_bytes(message));
}

/// Something that a listing went on without: what a page was told by `skip`.
struct Skip {
  std::string base;
  omnistore_status status;
  std::string message;
};

/// The part of a value that the request asks for.
constexpr std::string_view part_of(std::string_view value, const omnistore_get_request &request) noexcept {
  if (request.offset >= value.size()) return {};
  const std::uint64_t rest = value.size() - request.offset;
  return value.substr(static_cast<std::size_t>(request.offset),
                      static_cast<std::size_t>(request.length < rest ? request.length : rest));
}

/// Whether a listing with this base and depth shows the key.
inline bool lists(const omnistore_list_request &request, std::string_view key) noexcept {
  const std::string_view base = as_view(request.base);
  if (!key.starts_with(base)) return false;
  if (request.depth == OMNISTORE_ANY_DEPTH) return true;
  std::uint32_t depth = 0;
  for (const char c : key.substr(base.size())) {
    if (c == ':' && ++depth > request.depth) return false;
  }
  return true;
}

} // namespace omnistore
