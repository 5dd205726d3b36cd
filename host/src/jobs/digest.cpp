// SPDX-License-Identifier: Apache-2.0
#include "jobs/digest.hpp"

#include "base/encoding.hpp"

namespace omnistore::jobs {

std::string Digest::hex() const {
  crypto_hash_sha256_state state = state_;
  unsigned char bytes[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, bytes);
  return base::to_hex({reinterpret_cast<const char *>(bytes), sizeof bytes});
}

} // namespace omnistore::jobs
