// SPDX-License-Identifier: Apache-2.0
#include "servers/slots.hpp"

#include <array>
#include <memory>
#include <string>

namespace redis {
namespace {

/// CRC-16/XMODEM, byte by byte.
constexpr auto crc_table = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::uint16_t crc16(std::string_view text, std::uint16_t crc = 0) {
  for (const char c : text)
    crc = static_cast<std::uint16_t>(crc << 8 ^ crc_table[(crc >> 8 ^ static_cast<unsigned char>(c)) & 0xff]);
  return crc;
}

using Prefixes = std::array<std::array<char, 5>, slot_count>;

std::unique_ptr<const Prefixes> make_prefixes() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  auto prefixes = std::make_unique<Prefixes>();
  // Three of the 64 letters lead to every slot.
  for (const char one : letters)
    for (const char two : letters)
      for (const char three : letters) {
        const char tag[] = {one, two, three};
        (*prefixes)[crc16({tag, 3}) % slot_count] = {'{', one, two, three, '}'};
      }
  return prefixes;
}

} // namespace

std::string_view hash_tag(std::string_view name) {
  const std::size_t open = name.find('{');
  if (open == name.npos) return {};
  const std::size_t close = name.find('}', open + 1);
  return close == name.npos ? std::string_view() : name.substr(open + 1, close - open - 1);
}

std::uint16_t slot_of(std::string_view name) {
  const std::string_view tag = hash_tag(name);
  return crc16(tag.empty() ? name : tag) % slot_count;
}

std::uint16_t slot_of(std::string_view front, std::string_view back) {
  if (front.find('{') == front.npos && back.find('{') == back.npos) return crc16(back, crc16(front)) % slot_count;
  return slot_of(std::string(front).append(back));
}

std::string_view prefix_for(std::uint16_t slot) {
  static const std::unique_ptr<const Prefixes> prefixes = make_prefixes();
  const auto &found = (*prefixes)[slot];
  return {found.data(), found.size()};
}

} // namespace redis
