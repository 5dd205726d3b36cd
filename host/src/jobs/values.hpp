// SPDX-License-Identifier: Apache-2.0
// Reads the values of a job, with their meta: short ones many at a time, long ones in pieces.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// A batch contains values up to this size; a longer one is read by itself.
constexpr std::uint64_t short_value = 64 * 1024;
/// Up to this size a value is read whole, and above in pieces.
constexpr std::uint64_t whole_value = 1024 * 1024;
constexpr std::size_t batch_keys = 128;

/// A value as it was read, with its meta.
struct StoredValue {
  enum class State {
    loaded,
    is_long, ///< longer than short_value: only its meta is here
    absent,
    failed
  };
  State state = State::absent;
  std::string bytes;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< Unix milliseconds; 0 if unknown
  std::int64_t expiry = 0; ///< Unix milliseconds; 0 if never
  std::string etag;
  std::string user; ///< the user's own meta, byte for byte; empty if there is none
  Outcome failure;  ///< if the state is failed
};

/// Reads many values in one batch, in the order of the keys.
std::vector<StoredValue> read_values(const Storage &storage, std::span<const std::string> keys);

/// Reads one whole value of any length. Its state is then loaded or absent. Throws Error.
void read_whole(const Storage &storage, const std::string &key, StoredValue &value);

/// Returns the SHA-256 of a value, which it reads in pieces, and stores the meta in `value`, whose state is then
/// is_long or absent. Throws Error.
std::string digest_of(const Storage &storage, const std::string &key, StoredValue &value);

/// Reads the user's own meta of a value. Throws Error.
std::string user_of(const Storage &storage, const std::string &key);

/// Returns true for a failure to read a value that every further key may have too, so that a job that reads ends.
bool store_failed(Status status);

/// Returns true if two values have the same user meta and the same expiry, up to the two seconds by which a protocol
/// may round it.
bool same_meta(const StoredValue &one, const StoredValue &other);

} // namespace omnistore::jobs
