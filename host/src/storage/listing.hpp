// SPDX-License-Identifier: Apache-2.0
// The parts that listings and clears over mounts share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/error.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/storage.hpp>

#include "base/printable.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {

/// A page ends at this size: long keys make it shorter. The last page of a driver in it may exceed the size.
inline constexpr std::size_t most_page_bytes = 4 * 1024 * 1024;
inline constexpr std::uint32_t most_asked_at_once = 2000;
inline constexpr std::size_t most_bound_bytes = 4096;

/// Returns true if a listing comes in the order of names over all mounts (storage_names.cpp).
inline bool lists_names(const ListOptions &options) {
  return options.reverse || (options.folders && options.depth != ListOptions::any_depth);
}

/// Returns the part of a base that lies in one mount, in the store's keys.
inline std::string inner_base(const Mount &mount, std::string_view base) {
  std::string inner = mount.prefix;
  if (base.size() > mount.base.size()) inner.append(base.substr(mount.base.size()));
  return inner;
}

/// Sets how deep a listing of a base may go inside a mount. Returns false if it does not reach the mount.
inline bool inner_depth(const Mount &mount, std::string_view base, std::uint32_t depth, std::uint32_t &inner) {
  inner = depth;
  if (depth == ListOptions::any_depth || mount.base.size() <= base.size()) return true;
  const std::uint32_t above = colons(std::string_view(mount.base).substr(base.size()));
  if (above > depth) return false;
  inner = depth - above;
  return true;
}

/// Takes keys of a store without their prefix, leaves out meta keys and those that a deeper mount hides, and gives the
/// rest to `take`.
template <typename Take>
class Outside : public omnistore_page {
public:
  Outside(const MountTable &table, const Mount &mount, Take take)
      : omnistore_page{sizeof(omnistore_page), 0, emit_, next_, skip_}, table_(table), mount_(mount),
        take_(std::move(take)), masks_(table.has_deeper(mount)) {}

  bool more = false;
  std::string cursor;
  std::vector<Skipped> skipped; ///< with the cause alone as the message
  std::exception_ptr thrown;

private:
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key, const omnistore_meta *meta) {
    auto &self = *static_cast<Outside *>(page);
    const std::string_view inner = view(key);
    if (is_sidecar(inner) || !self.mount_.outside(inner, self.key_)) return OMNISTORE_OK;
    if (self.masks_ && self.table_.find(self.key_) != &self.mount_) return OMNISTORE_OK;
    try {
      self.take_(self.key_, meta);
      return OMNISTORE_OK;
    } catch (...) {
      self.thrown = std::current_exception();
      return OMNISTORE_INTERNAL;
    }
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) {
    auto &self = *static_cast<Outside *>(page);
    self.more = true;
    self.cursor = view(cursor);
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) {
    auto &self = *static_cast<Outside *>(page);
    const std::string_view inner = view(base);
    if (is_sidecar(inner) || !self.mount_.outside(inner, self.key_)) return OMNISTORE_OK;
    if (self.masks_ && self.table_.find(self.key_) != &self.mount_) return OMNISTORE_OK;
    try {
      std::string why = base::printable(view(message));
      if (why.empty()) why = phrase(to_status(status));
      self.skipped.push_back({self.key_, to_status(status), std::move(why)});
      return OMNISTORE_OK;
    } catch (...) {
      self.thrown = std::current_exception();
      return OMNISTORE_INTERNAL;
    }
  }

  const MountTable &table_;
  const Mount &mount_;
  Take take_;
  const bool masks_;
  std::string key_;
};

/// The whole of a base that a view calls `shown`.
inline std::string in_view(std::string_view in, std::string_view shown) {
  std::string base;
  base.reserve(in.size() + shown.size());
  return base.append(in).append(shown);
}

inline void check_open(const char *operation, std::string_view base, const Mount &mount) {
  if (!mount.store) throw Error(Status::unavailable, failure(operation, base, mount, mount.reason));
}

/// The part of a base that lies in a mount, for the log.
inline std::string_view logged_base(std::string_view base, const Mount &mount) {
  const std::string_view longer = base.size() > mount.base.size() ? base : mount.base;
  return longer.empty() ? std::string_view("(root)") : longer;
}

/// Returns the whole of a bound that a view knows as `shown`; empty if there is none.
inline std::string bound_in_view(std::string_view in, std::string_view shown) {
  return shown.empty() ? std::string() : in_view(in, shown);
}

/// The bounds of a listing in the keys of a mount's store.
struct InnerBounds {
  std::string start, end;
  bool empty; ///< nothing in the mount lies between them

  InnerBounds(const Mount &mount, std::string_view from, std::string_view to)
      : start(inner(mount, from)), end(inner(mount, to)),
        empty((start.empty() && from > mount.base) || (end.empty() && !to.empty() && to <= mount.base)) {}

private:
  /// Returns an empty text if the bound lies before or after all of the mount.
  static std::string inner(const Mount &mount, std::string_view bound) {
    if (bound.empty() || !bound.starts_with(mount.base)) return {};
    return mount.prefix + std::string(bound.substr(mount.base.size()));
  }
};

/// Adds the places that a store left out to those of the whole listing.
inline void add_skipped(std::vector<Skipped> found, std::string_view in, const Mount &mount,
                        std::vector<Skipped> &skipped) {
  for (Skipped &each : found) {
    if (!each.base.starts_with(in)) continue;
    each.message = failure("list", each.base, mount, each.message);
    each.base.erase(0, in.size());
    if (std::find(skipped.begin(), skipped.end(), each) == skipped.end()) skipped.push_back(std::move(each));
  }
}

} // namespace omnistore
