// SPDX-License-Identifier: Apache-2.0
//
// omnistore/value.hpp - keys, values and meta in C++, and functions by which a driver sends them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/driver.h>
#include <omnistore/known.hpp>

namespace omnistore {

/// Converts between omnistore_bytes and std::string_view. Both point to the same bytes.
inline std::string_view as_view(omnistore_bytes bytes) noexcept {
  return {static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size)};
}
constexpr omnistore_bytes as_bytes(std::string_view view) noexcept {
  return {view.data(), view.size()};
}

/// A value that a member of the simple form returns.
struct Value {
  std::string bytes;
  std::int64_t mtime = 0; ///< when it was last set, in Unix milliseconds; 0 if unknown

  Value(std::string value, std::int64_t time = 0) : bytes(std::move(value)), mtime(time) {}
  Value(std::string_view value, std::int64_t time = 0) : bytes(value), mtime(time) {}
  Value(const char *value, std::int64_t time = 0) : bytes(value), mtime(time) {}
};

/// Returns meta with these sizes and times (in Unix milliseconds); everything else is unknown.
constexpr omnistore_meta make_meta(std::uint64_t value_size, std::int64_t mtime = 0,
                                   std::int64_t expiry = 0) noexcept {
  return {sizeof(omnistore_meta), 0, value_size, mtime, expiry, {nullptr, 0}, {nullptr, 0}};
}

/// Adds the user's own meta, which is then known: if `user` is empty, the value has none. The view
/// points to the bytes of `user`.
constexpr void add_user(omnistore_meta &meta, std::string_view user) noexcept {
  meta.flags |= OMNISTORE_META_USER;
  meta.user = as_bytes(user);
}

/// Returns true if the sink takes bytes that the store lends (omnistore_sink.lend).
inline bool takes_loans(const omnistore_sink &sink) {
  return OMNISTORE_HAS(omnistore_sink, &sink, lend) && sink.lend;
}

/// Sends a value to the sink: begin, and a write if there are bytes. Returns the sink's status,
/// which the driver returns in turn. `meta.value_size` is the size of the whole value, and `bytes`
/// is the requested part of it.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta,
                             std::string_view bytes) {
  const omnistore_status status = sink.begin(&sink, &meta, nullptr);
  return status != OMNISTORE_OK || bytes.empty() ? status
                                                 : sink.write(&sink, bytes.data(), bytes.size());
}
/// Sends a whole value whose other properties are unknown.
inline omnistore_status give(omnistore_sink &sink, std::string_view bytes) {
  return give(sink, make_meta(bytes.size()), bytes);
}
/// Sends meta alone, for stat and for the result of set.
inline omnistore_status give(omnistore_sink &sink, const omnistore_meta &meta) {
  return sink.begin(&sink, &meta, nullptr);
}

/// Reports to the page that the listing leaves out everything under `base` (omnistore_page.skip).
/// Returns the page's status, or OMNISTORE_OK if the host does not know the function.
inline omnistore_status skip(omnistore_page &page, std::string_view base, omnistore_status status,
                             std::string_view message) {
  if (!OMNISTORE_HAS(omnistore_page, &page, skip) || !page.skip) return OMNISTORE_OK;
  return page.skip(&page, as_bytes(base), status, as_bytes(message));
}

/// A part that a listing left out, as it was reported by omnistore_page.skip.
struct Skip {
  std::string base;
  omnistore_status status;
  std::string message;
};

/// Returns the part of a value that the request is for.
constexpr std::string_view part_of(std::string_view value,
                                   const omnistore_get_request &request) noexcept {
  if (request.offset >= value.size()) return {};
  const std::uint64_t rest = value.size() - request.offset;
  return value.substr(static_cast<std::size_t>(request.offset),
                      static_cast<std::size_t>(request.length < rest ? request.length : rest));
}

} // namespace omnistore
