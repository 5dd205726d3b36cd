// SPDX-License-Identifier: Apache-2.0
// The address of an entry in six bytes. On Linux the upper two bytes of an address are zero unless a program requests a
// larger space, and Heap refuses other addresses.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "entry/entry.hpp"

namespace memory {

class Ref {
public:
  Ref() = default;
  explicit Ref(const Entry *entry) {
    const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(entry));
    const auto low = static_cast<uint32_t>(address);
    const auto high = static_cast<uint16_t>(address >> 32);
    std::memcpy(bytes_.data(), &low, 4);
    std::memcpy(bytes_.data() + 4, &high, 2);
  }
  Entry *get() const {
    uint32_t low;
    uint16_t high;
    std::memcpy(&low, bytes_.data(), 4);
    std::memcpy(&high, bytes_.data() + 4, 2);
    return reinterpret_cast<Entry *>(static_cast<uintptr_t>(uint64_t{high} << 32 | low));
  }
  bool operator==(const Ref &other) const { return std::memcmp(bytes_.data(), other.bytes_.data(), 6) == 0; }

private:
  alignas(2) std::array<char, 6> bytes_;
};
static_assert(sizeof(Ref) == 6);

} // namespace memory
