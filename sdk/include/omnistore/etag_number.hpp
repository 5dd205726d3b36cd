// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <charconv>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <system_error>

namespace omnistore {

/// A number as an etag: 16 hexadecimal digits.
class NumberEtag {
public:
  explicit NumberEtag(std::uint64_t number) noexcept {
    for (int i = 0; i < 16; ++i) digits_[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
  }
  /// Valid as long as the object.
  std::string_view text() const noexcept { return {digits_, sizeof digits_}; }
  /// The number that an etag stands for; nothing if it is no etag of this form.
  static std::optional<std::uint64_t> parse(std::string_view etag) noexcept {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(etag.data(), etag.data() + etag.size(), number, 16);
    if (error != std::errc() || etag != NumberEtag(number).text()) return std::nullopt;
    return number;
  }

private:
  char digits_[16];
};

/// Numbers for new values, none twice: a counter that begins at random, mixed (splitmix64). Stores that share a backend
/// need not agree on them, since two of 64 bits are the same by accident only. Safe for threads.
class EtagNumbers {
public:
  std::uint64_t next() noexcept {
    std::uint64_t x = next_.fetch_add(0x9e3779b97f4a7c15u, std::memory_order_relaxed);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

private:
  static std::uint64_t random() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }
  std::atomic<std::uint64_t> next_{random()};
};

} // namespace omnistore
