// SPDX-License-Identifier: Apache-2.0
// The SHA-256 of values that come in pieces.
#pragma once

#include <string>
#include <string_view>

#include <sodium/crypto_hash_sha256.h>

namespace omnistore::jobs {

/// For one thread at a time.
class Digest {
public:
  Digest() { crypto_hash_sha256_init(&state_); }
  void add(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
  }
  /// Returns the digest of everything that was added so far, as 64 hexadecimal digits. More may be added.
  std::string hex() const;

private:
  crypto_hash_sha256_state state_;
};

inline std::string digest_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.hex();
}

} // namespace omnistore::jobs
