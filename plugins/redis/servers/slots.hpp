// SPDX-License-Identifier: Apache-2.0
// The slots of Redis Cluster: a key's name decides on its slot, and each slot belongs to one master.
#pragma once

#include <cstdint>
#include <string_view>

namespace redis {

inline constexpr std::uint16_t slot_count = 16384;

/// Returns the part of a name between its first '{' and the next '}'; empty if there is no such part.
std::string_view hash_tag(std::string_view name);
/// Returns the slot of a name: the CRC16 of its hash tag if it has one, else of all of it.
std::uint16_t slot_of(std::string_view name);
/// Returns the slot of the name that consists of both parts, without joining them if that can be.
std::uint16_t slot_of(std::string_view front, std::string_view back);
/// Returns "{abc}", such that each name that begins with it has this slot. It is valid for ever.
std::string_view prefix_for(std::uint16_t slot);

} // namespace redis
