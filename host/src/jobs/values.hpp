// SPDX-License-Identifier: Apache-2.0
// How jobs take values out of a storage: short ones many at a time, long ones in pieces; with their meta in either
// case.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// A batch holds values up to this size; one that is longer is taken by itself.
constexpr std::uint64_t short_value = 64 * 1024;
/// Up to this size it is taken whole, and above in pieces.
constexpr std::uint64_t whole_value = 1024 * 1024;
constexpr std::size_t batch_keys = 128;

/// A value as it was found, with what goes along.
struct Taken {
  enum class State {
    held,
    is_long, ///< above short_value: only what is known of it is here
    gone,
    failed
  };
  State state = State::gone;
  std::string value;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< Unix milliseconds; 0: unknown
  std::int64_t expiry = 0; ///< Unix milliseconds; 0: never
  std::string etag;
  std::string user; ///< the user's own meta, byte for byte; empty: none
  Outcome failure;  ///< where it failed
};

/// Many of them in one batch, in the order of the keys.
std::vector<Taken> take(const Storage &storage, std::span<const std::string> keys);

/// One whole value, however long, in place of what `taken` says; state is held or gone. Throws Error.
void take_whole(const Storage &storage, const std::string &key, Taken &taken);

/// The SHA-256 of a value, read in pieces. `taken` gets what is known of it; its state is is_long or gone. Throws
/// Error.
std::string digest_of(const Storage &storage, const std::string &key, Taken &taken);

/// The user's own meta of a value. Throws Error.
std::string user_of(const Storage &storage, const std::string &key);

/// Whether two say the same of a value besides its bytes: the same meta of the user's, and the same expiry, to the two
/// seconds that a protocol may round off.
bool same_meta(const Taken &one, const Taken &other);

} // namespace omnistore::jobs
