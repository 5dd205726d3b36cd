// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/emulation/sidecar.hpp"
#include "storage/functions.hpp"

namespace omnistore {

/// The sidecars of a store's values, each under its key and a `$`. Writes are made under the key's lock.
class Sidecars {
public:
  /// `longest_key` is the longest that the driver takes: a value whose key is as long has no sidecar.
  Sidecars(const Functions &store, std::uint64_t longest_key) : store_(store), longest_key_(longest_key) {}

  bool may_have(std::string_view key) const;
  /// Empty if there is none.
  omnistore_status read(omnistore_call *call, std::string_view key, Sidecar &sidecar) const;
  /// Reads the sidecars of those keys of a batch for which `wants(i)` is true; the others stay as they are. A status
  /// that is not OMNISTORE_OK holds for all. An item whose sidecar cannot be read is put into `unreadable` with its
  /// status.
  struct Unreadable {
    std::uint32_t item;
    omnistore_status status;
  };
  template <class Wants>
  omnistore_status read_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count, Wants wants,
                             std::vector<Sidecar> &sidecars, std::vector<Unreadable> &unreadable) const {
    std::vector<std::uint32_t> items;
    for (std::uint32_t i = 0; i < count; ++i)
      if (wants(i) && may_have({static_cast<const char *>(keys[i].data), static_cast<std::size_t>(keys[i].size)}))
        items.push_back(i);
    return items.empty() ? OMNISTORE_OK : read_items(call, keys, items, sidecars, unreadable);
  }
  /// The driver itself drops it at `expiry`; 0 means never. An empty sidecar is removed.
  omnistore_status write(omnistore_call *call, std::string_view key, const Sidecar &sidecar, std::int64_t expiry) const;
  /// Returns OMNISTORE_OK also if there was none.
  omnistore_status remove(omnistore_call *call, std::string_view key) const;
  /// Removes those of a batch.
  omnistore_status remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count) const;
  /// Returns the keys of the sidecars that a batch's values may have.
  std::vector<std::string> names(const omnistore_bytes *keys, std::uint32_t count) const;

private:
  omnistore_status read_items(omnistore_call *call, const omnistore_bytes *keys,
                              const std::vector<std::uint32_t> &items, std::vector<Sidecar> &sidecars,
                              std::vector<Unreadable> &unreadable) const;

  const Functions store_;
  const std::uint64_t longest_key_;
};

} // namespace omnistore
