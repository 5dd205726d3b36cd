// SPDX-License-Identifier: Apache-2.0
#include "item.hpp"

#include <array>
#include <cstring>

#include <openssl/evp.h>

#include <omnistore/failure.hpp>

namespace memcached_driver {
namespace {

constexpr std::size_t longest_name = 250;
constexpr std::string_view digits = "0123456789abcdef";

std::string hex_digest(const EVP_MD *kind, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, kind, nullptr) != 1)
    throw omnistore::Failure(OMNISTORE_INTERNAL, "OpenSSL cannot compute a digest");
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += {digits[digest[i] >> 4], digits[digest[i] & 15]};
  return out;
}

template <class Number>
void write_number(std::string &into, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i)
    into += static_cast<char>(static_cast<std::uint64_t>(number) >> 8 * i & 0xff);
}

template <class Number>
Number read_number(std::string_view from) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << 8 * i;
  return static_cast<Number>(number);
}

} // namespace

std::string name_of(std::string_view prefix, std::string_view key) {
  std::string name;
  name.reserve(prefix.size() + key.size());
  for (const std::string_view part : {prefix, key}) {
    for (const char c : part) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte > ' ' && byte != 0x7f && c != '%')
        name += c;
      else
        name += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  if (name.size() <= longest_name) return name;
  const std::string digest = "%#" + hex_digest(EVP_sha256(), name);
  return name.substr(0, longest_name - digest.size()) + digest;
}

std::string_view Item::bytes(std::string &space) const {
  if (!has_header()) return value;
  space.clear();
  space.reserve(size());
  write_number(space, expiry);
  write_number(space, static_cast<std::uint32_t>(user.size()));
  space.append(user).append(value);
  return space;
}

std::int64_t Item::seconds() const {
  // The clock of memcached steps once a second, and its numbers end in 2038.
  const std::int64_t later = expiry / 1000 + 2;
  return expiry == 0 || later > INT32_MAX ? 0 : later;
}

std::optional<Item> Item::parse(std::string_view bytes, std::uint32_t flags) {
  if (flags != with_header) return Item{bytes};
  if (bytes.size() < header_size) return {};
  Item item;
  item.expiry = read_number<std::int64_t>(bytes);
  const auto user_size = read_number<std::uint32_t>(bytes.substr(8));
  bytes.remove_prefix(header_size);
  if (item.expiry < 0 || user_size > bytes.size()) return {};
  item.user = bytes.substr(0, user_size);
  item.value = bytes.substr(user_size);
  return item;
}

std::string etag_of(std::string_view value) { return hex_digest(EVP_sha1(), value); }

} // namespace memcached_driver
