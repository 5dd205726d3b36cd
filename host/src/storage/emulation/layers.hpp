// SPDX-License-Identifier: Apache-2.0
// The layers that give a store what its driver lacks, each in a file of its own. A function here stacks one layer: it
// puts the layer's functions into `stack`, over those that are there. The layer lives as long as the returned object.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/functions.hpp"

namespace omnistore {

class Stripes;

using Layer = std::shared_ptr<void>;

/// Reads parts of values for a driver that reads only whole ones (without OMNISTORE_CAN_RANGE): it reads the whole
/// value and passes on the part.
Layer stack_ranges(Functions &stack);

/// Lists ranges and folders for a driver that cannot (without OMNISTORE_CAN_LIST_RANGE or OMNISTORE_CAN_LIST_FOLDERS):
/// it finds them among the keys that the driver lists. A listing with folders is in the order of names, whatever the
/// driver's order. The descending order is refused if the driver does not have it, since every key would have to be in
/// memory.
///
/// The cost of folders depends on the driver:
///  - if it lists ranges in the order of keys: a listing of a few keys for each folder, whatever the folder holds;
///  - if it lists in the order of keys: all keys below the base are read once, over all pages;
///  - else: all keys below the base are read for each page, of which the first names are kept.
/// A range without folders costs one read of all keys below the base, or only of those before `end` if the driver lists
/// in the order of keys. `traits` are the driver's.
Layer stack_parts(Functions &stack, const omnistore_traits &traits);

/// Lists with a depth and with meta, for a driver that lists all keys under a base (without OMNISTORE_CAN_DEPTH) or
/// keys alone (without OMNISTORE_CAN_LIST_META). It drops the keys that lie deeper, and gets each key's meta by stat.
/// `capabilities` are the driver's.
Layer stack_listings(Functions &stack, std::uint64_t capabilities);

/// Clears a base for a driver that has no clear: it lists the keys and removes each, under the locks of the store's
/// writes. `stripes` is null if these hold none.
Layer stack_clears(Functions &stack, Stripes *stripes);

/// Keeps the conditions of writes that the driver does not keep. It looks at the value, and writes if the condition
/// holds. Every write holds the lock of its key meanwhile, so that no other write of this host comes in between.
///
/// Nobody but this host respects these locks. If others may write to the backend too (OMNISTORE_SHARED), `stripes` is
/// null: the layer then refuses the conditions that the driver does not keep. `capabilities` are the driver's.
Layer stack_conditions(Functions &stack, Stripes *stripes, std::uint64_t capabilities);

/// Takes values as streams for a driver that takes them whole (without OMNISTORE_CAN_STREAM): it gathers them in
/// memory. `max_value_size` is the driver's; 0: it has no limit.
Layer stack_streams(Functions &stack, std::uint64_t max_value_size);

/// Rounds expiries up to those that the driver keeps: not sooner than its min_ttl, and a multiple of its ttl_grain. An
/// expiry that has passed stays as it is.
Layer stack_roundings(Functions &stack, const omnistore_traits &traits);

/// Refuses every write to a store that takes none (OMNISTORE_READS_ONLY).
Layer stack_read_only(Functions &stack);

} // namespace omnistore
