// SPDX-License-Identifier: Apache-2.0
#include "transport/etag.hpp"

#include <algorithm>

#include <openssl/sha.h>

namespace http {
namespace {

constexpr std::size_t LONGEST = 64;
constexpr std::string_view WEAK = "W/";
constexpr char HASHED = '#';

std::string hash(std::string_view header) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char *>(header.data()), header.size(), digest);
  std::string text(1, HASHED);
  for (int i = 0; i < 20; ++i) (text += "0123456789abcdef"[digest[i] >> 4]) += "0123456789abcdef"[digest[i] & 15];
  return text;
}

} // namespace

std::string etag_of(std::string_view header) {
  std::string_view rest = header;
  const bool weak = rest.starts_with(WEAK);
  if (weak) rest.remove_prefix(WEAK.size());
  if (rest.size() < 3 || rest.front() != '"' || rest.back() != '"') return {};
  rest = rest.substr(1, rest.size() - 2);
  const bool odd = std::any_of(rest.begin(), rest.end(), [](char c) { return c <= ' ' || c > '~' || c == '"'; });
  const bool ambiguous = !weak && (rest.front() == HASHED || rest.starts_with(WEAK));
  if (odd || ambiguous || rest.size() + (weak ? WEAK.size() : 0) > LONGEST) return hash(header);
  return std::string(weak ? WEAK : "") + std::string(rest);
}

std::string header_of(std::string_view etag) {
  if (etag.empty() || etag.front() == HASHED) return {};
  const bool weak = etag.starts_with(WEAK);
  if (weak) etag.remove_prefix(WEAK.size());
  return std::string(weak ? WEAK : "") + "\"" + std::string(etag) + "\"";
}

} // namespace http
