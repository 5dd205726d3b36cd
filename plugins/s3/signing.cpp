// SPDX-License-Identifier: Apache-2.0
#include "signing.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <new>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "transport/base64.hpp"

namespace s3 {
namespace {

constexpr std::string_view DIGITS = "0123456789abcdef", CAPITALS = "0123456789ABCDEF";

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    (text += DIGITS[byte >> 4]) += DIGITS[byte & 15];
  }
  return text;
}

std::string digest(const EVP_MD *kind, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, kind, nullptr) != 1) throw std::bad_alloc();
  return {reinterpret_cast<const char *>(out.data()), size};
}

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out;
  unsigned size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char *>(text.data()), text.size(), out.data(), &size))
    throw std::bad_alloc();
  return {reinterpret_cast<const char *>(out.data()), size};
}

std::string_view header_in(const Pairs &headers, std::string_view name) {
  for (const auto &[each, value] : headers)
    if (each == name) return value;
  return {};
}

} // namespace

std::string encoded(std::string_view text, bool keep_slash) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    const auto byte = static_cast<unsigned char>(c);
    if (plain)
      out += c;
    else
      ((out += '%') += CAPITALS[byte >> 4]) += CAPITALS[byte & 15];
  }
  return out;
}

std::string canonical_query(Pairs query) {
  for (auto &[name, value] : query) name = encoded(name), value = encoded(value);
  std::sort(query.begin(), query.end());
  std::string text;
  for (const auto &[name, value] : query) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

std::string sha256_hex(std::string_view bytes) { return hex(digest(EVP_sha256(), bytes)); }

std::string md5_base64(std::string_view bytes) { return http::to_base64(digest(EVP_md5(), bytes)); }

std::string amz_date(std::int64_t milliseconds) {
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

std::string authorization(const Credentials &credentials, std::string_view region, const Signable &request) {
  Pairs headers = request.headers;
  std::sort(headers.begin(), headers.end());
  std::string names, lines;
  for (const auto &[name, value] : headers) {
    names += (names.empty() ? "" : ";") + name;
    lines += name + ":" + value + "\n";
  }
  const std::string date(header_in(headers, "x-amz-date")), day = date.substr(0, 8);
  std::string canonical(request.method);
  ((canonical += "\n") += request.path) += "\n";
  (canonical += request.query) += "\n";
  canonical += lines + "\n" + names + "\n";
  canonical += header_in(headers, "x-amz-content-sha256");

  const std::string scope = day + "/" + std::string(region) + "/s3/aws4_request";
  const std::string text = "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256_hex(canonical);
  const std::string key = hmac(hmac(hmac(hmac("AWS4" + credentials.secret, day), region), "s3"), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + credentials.key_id + "/" + scope + ",SignedHeaders=" + names +
         ",Signature=" + hex(hmac(key, text));
}

} // namespace s3
