// SPDX-License-Identifier: Apache-2.0
// The keys of records in a layer, and the form of a user's key that looks like one. README.md describes the format.
#pragma once

#include <string>
#include <string_view>

namespace overlay {

/// The bases of records in a layer.
inline constexpr std::string_view record_space = "overlay$:";
inline constexpr std::string_view removed_records = "overlay$:removed:";
inline constexpr std::string_view cleared_records = "overlay$:cleared:";
inline constexpr std::string_view cleared_all_record = "overlay$:cleared$";

/// The value that unstorage's overlay writes for a key that it removed.
inline constexpr std::string_view removed_marker = "__OVERLAY_REMOVED__";

/// Returns a user's key or base in the layers' form: one that would lie among the records is moved one step down.
inline std::string_view layer_key(std::string_view key, std::string &room) {
  if (!key.starts_with(record_space)) [[likely]]
    return key;
  room.assign(record_space).append(key);
  return room;
}

/// Turns a layer's key into the user's key. Returns false for a record.
inline bool to_user_key(std::string_view &key) {
  if (!key.starts_with(record_space)) [[likely]]
    return true;
  key.remove_prefix(record_space.size());
  return key.starts_with(record_space);
}

/// Returns the record of a key that was removed. It ends in '$', so that no listing shows it.
inline std::string removed_key(std::string_view key) { return std::string(removed_records).append(key).append("$"); }

/// Returns the record of a base that was cleared.
inline std::string cleared_key(std::string_view base) {
  if (base.empty()) return std::string(cleared_all_record);
  return std::string(cleared_records).append(base.substr(0, base.size() - 1)).append("$");
}

/// Calls `take` for every base that a key lies in, the widest first, while it returns true.
template <typename Take>
bool each_base(std::string_view key, Take take) {
  for (std::size_t end = 0;; ++end) {
    if (!take(key.substr(0, end))) return false;
    end = key.find(':', end);
    if (end == key.npos) return true;
  }
}

} // namespace overlay
