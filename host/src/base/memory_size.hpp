// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace omnistore::base {

/// Returns how many bytes of memory this process may have: the machine's, or the limit of its control group if that is
/// lower. Reads files, so call it once.
std::uint64_t memory_of_process();

} // namespace omnistore::base
