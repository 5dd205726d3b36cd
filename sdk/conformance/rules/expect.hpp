// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "bench.hpp"

namespace omnistore::kit {

/// Throws Broken unless the call `what` has this status.
inline void expect(const CallResult &done, omnistore_status status, const std::string &what) {
  require(done.status == status, what + ": expected " + name_of(status) + ", got " + shown(done));
}
inline void expect_ok(const CallResult &done, const std::string &what) { expect(done, OMNISTORE_OK, what); }
inline void expect_value(const GetResult &got, std::string_view right, const std::string &what) {
  require(got.ok() && got.bytes == right, what + ": expected " + shown(right) + ", got " + shown(got));
}
inline void expect_none(const GetResult &got, const std::string &what) { expect(got, OMNISTORE_NOT_FOUND, what); }

/// Sets a value, which must succeed.
inline void put(Store &store, std::string_view key, std::string_view value, const SetOptions &how = {}) {
  expect_ok(store.set(key, value, how), "set of " + shown(key));
}

/// Returns `wanted`, or the largest size of a value that the store states if that is less.
inline std::size_t fitting(Store &store, std::size_t wanted) {
  const std::uint64_t most = store.traits().max_value_size;
  return most && most < wanted ? static_cast<std::size_t>(most) : wanted;
}

/// Returns true if a store gives the expiry that was set. The backend of a shared store may have a clock of its own,
/// and get and give the time that is left, in whole seconds. The result is then off by up to a second, and by the
/// `took` milliseconds of the calls that set and gave it.
inline bool same_expiry(Store &store, std::int64_t told, std::int64_t right, std::int64_t took) {
  const std::int64_t tolerance = store.can(OMNISTORE_SHARED) && told && right ? 1000 + took : 0;
  return told >= right - tolerance && told <= right + tolerance;
}

/// Returns the etag of an existing value.
inline std::string etag_of(Store &store, const std::string &key) {
  const GetResult found = store.stat(key, OMNISTORE_GET_META);
  expect_ok(found, "stat with OMNISTORE_GET_META");
  return found.known_meta().etag;
}

inline std::string joined(const std::vector<std::string> &keys) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(keys.size(), 12); ++i) text += (i ? " " : "") + shown(keys[i]);
  return keys.empty() ? "none" : text + (keys.size() > 12 ? " ..." : "");
}

/// Throws Broken unless these are the keys under a base, in any order.
inline void expect_keys(std::vector<std::string> found, std::vector<std::string> right, const std::string &what) {
  std::sort(found.begin(), found.end());
  std::sort(right.begin(), right.end());
  if (found == right) return;
  std::vector<std::string> missing, more;
  std::set_difference(right.begin(), right.end(), found.begin(), found.end(), std::back_inserter(missing));
  std::set_difference(found.begin(), found.end(), right.begin(), right.end(), std::back_inserter(more));
  throw Broken(what + ": missing " + joined(missing) + "; too many " + joined(more));
}

/// Throws Broken unless a listing of the base shows these keys. A driver that cannot list passes.
inline void expect_listed(Store &store, std::string_view base, const std::vector<std::string> &right,
                          const std::string &what) {
  if (store.lists()) expect_keys(store.keys(base), right, what);
}

/// Returns `size` varied bytes, in which a cut or a mixture is found.
inline std::string bytes_of(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ull + 1;
  for (char &each : bytes) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    each = static_cast<char>(x);
  }
  return bytes;
}

} // namespace omnistore::kit
