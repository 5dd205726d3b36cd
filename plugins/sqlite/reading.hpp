// SPDX-License-Identifier: Apache-2.0
// How values go out. A sink may be as slow as its reader, so a short value is copied and its connection given back
// before anything goes out; a long one goes out a part at a time, from a connection that it keeps for so long.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/etag_number.hpp>
#include <omnistore/value.hpp>

#include "connection.hpp"
#include "pool.hpp"

namespace sqlite {

/// The meta of a value, outside of SQLite's memory.
struct Known {
  std::uint64_t size = 0;
  std::int64_t mtime = 0, expiry = 0, version = 0;
  std::string user; ///< if it was requested

  /// Takes the columns of a statement that reads one value (layout.hpp). It leaves `size` as it is.
  static Known from(const Run &run, bool with_version, bool with_user);
  /// Gives it, with `bytes` as the part of the value that was requested.
  omnistore_status give(omnistore_sink &sink, std::uint32_t flags, bool gives_etags, std::string_view key,
                        std::string_view bytes = {}) const;
  /// Calls use(meta) with meta that is valid for so long.
  template <class Use>
  auto with_meta(std::uint32_t flags, bool gives_etags, std::string_view key, Use use) const {
    omnistore_meta meta = omnistore::make_meta(size, mtime, expiry);
    std::optional<omnistore::NumberEtag> etag;
    if (gives_etags && (flags & OMNISTORE_GET_META))
      meta.etag = omnistore::as_bytes(etag.emplace(static_cast<std::uint64_t>(version)).text());
    if ((flags & OMNISTORE_GET_USER) && gives_etags && !key.ends_with('$')) omnistore::add_user(meta, user);
    return use(meta);
  }
};

/// A value that was looked up.
struct Found {
  bool is_there = false;
  Known known;
  std::unique_ptr<Blob> blob; ///< of a long value; its bytes come from here
};

/// Looks a key up, and appends the requested part of a short value to `bytes`. The blob of a long one is only opened if
/// `opens_blob` says so; else it is there, and `known.size` is OMNISTORE_UNKNOWN_SIZE.
Found look_up(Connection &reader, std::string_view key, const omnistore_get_request &request, std::int64_t now,
              std::string &bytes, bool opens_blob);

/// Looks up the meta alone.
Found look_at(Connection &reader, std::string_view key, const omnistore_get_request &request, std::int64_t now);

/// Gives out a value through its blob, which is the lease's.
omnistore_status give_long(omnistore::Call call, Lease &lease, Found &found, std::string_view key,
                           const omnistore_get_request &request, omnistore_sink &sink);

} // namespace sqlite
