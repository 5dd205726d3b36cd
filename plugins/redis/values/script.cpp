// SPDX-License-Identifier: Apache-2.0
#include "values/script.hpp"

#include <array>

#include <openssl/evp.h>

#include <omnistore/failure.hpp>

namespace redis {

std::string etag_of(std::string_view value) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(value.data(), value.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw omnistore::Failure(OMNISTORE_INTERNAL, "SHA-1 cannot be computed here");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

} // namespace redis
