// SPDX-License-Identifier: Apache-2.0
//
// omnistore/listing.hpp - which names a listing shows, and which keys a driver in the order of keys
// reads for it.
#pragma once

#include <string>
#include <string_view>

#include <omnistore/driver.h>
#include <omnistore/value.hpp>

namespace omnistore {

/// Returns the folder that the listing shows in place of a key that its depth leaves out: the base
/// and depth + 1 more segments. Returns an empty view if the key lies within the depth, or not
/// under the base.
inline std::string_view folder_of(const omnistore_list_request &request,
                                  std::string_view key) noexcept {
  const std::string_view base = as_view(request.base);
  if (request.depth == OMNISTORE_ANY_DEPTH || !key.starts_with(base)) return {};
  std::size_t at = base.size();
  for (std::uint32_t depth = 0;; ++depth) {
    at = key.find(':', at);
    if (at == key.npos) return {};
    ++at;
    if (depth == request.depth) return key.substr(0, at);
  }
}

/// Returns true if the name lies between the listing's bounds.
inline bool in_range(const omnistore_list_request &request, std::string_view name) noexcept {
  return name >= as_view(request.start) && (request.end.size == 0 || name < as_view(request.end));
}

/// Returns what the listing shows of a key: the key itself, its folder, or nothing (an empty view).
inline std::string_view listed(const omnistore_list_request &request,
                               std::string_view key) noexcept {
  if (!key.starts_with(as_view(request.base))) return {};
  std::string_view name = key;
  if (const std::string_view folder = folder_of(request, key); !folder.empty()) {
    if (!(request.flags & OMNISTORE_LIST_FOLDERS)) return {};
    name = folder;
  }
  return in_range(request, name) ? name : std::string_view();
}

/// Returns true if the listing shows the key itself.
inline bool lists(const omnistore_list_request &request, std::string_view key) noexcept {
  return listed(request, key).size() == key.size();
}

/// Returns the least text that comes after a name and, if the name is a folder, after all of its
/// keys.
inline std::string after(std::string_view name) {
  std::string next(name);
  if (name.ends_with(':'))
    next.back() = ':' + 1;
  else
    next += '\0';
  return next;
}

/// The keys that a listing in the order of keys reads: those that are not less than `from`, and
/// less than `to`.
struct KeyBounds {
  std::string from;
  std::string to; ///< empty: there is no bound

  /// `last` is the last name of the page before, or empty. Each key between the bounds lies under the
  /// base. It is shown, or its folder is, unless the listing leaves it out for its depth.
  KeyBounds(const omnistore_list_request &request, std::string_view last = {})
      : from(as_view(request.base)), to(from.empty() ? std::string() : after(from)) {
    const std::string_view start = as_view(request.start), end = as_view(request.end);
    if (start > from) from = bound(request, start);
    if (!end.empty() && (to.empty() || end < to)) to = bound(request, end);
    if (last.empty()) return;
    if (request.flags & OMNISTORE_LIST_REVERSE) {
      if (to.empty() || last < to) to = last;
    } else if (std::string next = after(last); next > from) {
      from = std::move(next);
    }
  }
  bool empty() const noexcept { return !to.empty() && from >= to; }
  /// Returns true if the text is less than `to`.
  bool reaches(std::string_view text) const noexcept { return to.empty() || text < to; }

private:
  /// A folder is in the range if its name is, so a bound among the keys of a folder moves to their
  /// end.
  static std::string bound(const omnistore_list_request &request, std::string_view at) {
    if (!(request.flags & OMNISTORE_LIST_FOLDERS)) return std::string(at);
    const std::string_view folder = folder_of(request, at);
    return folder.empty() || folder == at ? std::string(at) : after(folder);
  }
};

} // namespace omnistore
