// SPDX-License-Identifier: Apache-2.0
#include "jobs/digest.hpp"

namespace omnistore::jobs {

std::string Digest::hex() const {
  constexpr char digits[] = "0123456789abcdef";
  crypto_hash_sha256_state state = state_;
  unsigned char bytes[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, bytes);
  std::string text;
  text.reserve(2 * sizeof bytes);
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

} // namespace omnistore::jobs
