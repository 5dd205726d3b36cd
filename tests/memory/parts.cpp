// SPDX-License-Identifier: Apache-2.0
// ShardContents of the driver that need no store.
#include <catch2/catch.hpp>

#include <bit>
#include <cstring>
#include <string>

#include "entry/entry.hpp"

namespace {

/// Eight bytes as a machine of this byte order reads them.
template <std::endian order>
constexpr std::uint64_t load(const char (&bytes)[9]) {
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) {
    const int shift = 8 * (order == std::endian::big ? 7 - i : i);
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << shift;
  }
  return word;
}

template <std::endian order>
constexpr bool in_order(const char (&first)[9], const char (&second)[9]) {
  return memory::as_bytes_compare<order>(load<order>(first)) < memory::as_bytes_compare<order>(load<order>(second));
}

template <std::endian order>
constexpr bool all_in_order() {
  return in_order<order>("a0000009", "b0000000") && !in_order<order>("b0000000", "a0000009") &&
         in_order<order>("aaaaaaaa", "aaaaaaab") && in_order<order>("a\0\0\0\0\0\0\0", "a\0\0\0\0\0\0\1") &&
         in_order<order>("\x7f\xff\xff\xff\xff\xff\xff\xff", "\x80\0\0\0\0\0\0\0");
}

static_assert(all_in_order<std::endian::little>());
static_assert(all_in_order<std::endian::big>());

} // namespace

TEST_CASE("heads of keys compare as the keys' bytes do, on a machine of either byte order") {
  CHECK(all_in_order<std::endian::little>());
  CHECK(all_in_order<std::endian::big>());
  CHECK(load<std::endian::native>("abcdefgh") == memory::read64("abcdefgh"));
}
