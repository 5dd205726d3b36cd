// SPDX-License-Identifier: Apache-2.0
#include "storage/cursor.hpp"

#include <array>
#include <cstdint>

#include <omnistore/error.hpp>

namespace omnistore {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char version = '2', names_version = 'n';
constexpr std::size_t fingerprint_size = sizeof(std::uint32_t);

std::string encode(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xFFFFFF;
    for (held += 8; held >= 6; held -= 6) text.push_back(alphabet[bits >> (held - 6) & 63]);
  }
  if (held != 0) text.push_back(alphabet[bits << (6 - held) & 63]);
  return text;
}

bool decode(std::string_view text, std::string &bytes) {
  std::uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == alphabet.npos) return false;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<char>(bits >> held & 0xFF));
    }
  }
  return true;
}

[[noreturn]] void refuse() {
  throw Error(Status::invalid, "the cursor is none of this host's; leave it out to begin from the start");
}

} // namespace

std::string Cursor::text() const {
  std::string bytes(1, version);
  bytes.append(mountpoint).push_back('\0');
  for (std::size_t i = 0; i < fingerprint_size; ++i) bytes.push_back(static_cast<char>(store >> 8 * i & 0xFF));
  return encode(bytes.append(driver));
}

Cursor Cursor::parse(std::string_view text) {
  std::string bytes;
  const bool decoded = decode(text, bytes);
  const std::size_t end = bytes.find('\0');
  if (!decoded || bytes.empty() || bytes.front() != version || end == bytes.npos ||
      bytes.size() - end - 1 < fingerprint_size)
    refuse();
  std::uint32_t store = 0;
  for (std::size_t i = 0; i < fingerprint_size; ++i)
    store |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[end + 1 + i])) << 8 * i;
  return {bytes.substr(1, end - 1), store, bytes.substr(end + 1 + fingerprint_size)};
}

std::string Cursor::of_name(std::string_view name) { return encode(names_version + std::string(name)); }

std::string Cursor::parse_name(std::string_view text) {
  std::string bytes;
  if (!decode(text, bytes) || bytes.size() < 2 || bytes.front() != names_version) refuse();
  return bytes.substr(1);
}

} // namespace omnistore
