// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace omnistore::kit::progress {

/// The progress of a test's process, in memory that its parent reads if the process dies or hangs.
struct Board {
  unsigned calls;    ///< the number of calls; if it does not change, the test hangs
  char doing[256];   ///< the last call: "set" and its key
  char verdict[512]; ///< written by a signal handler
};

/// The board that say() writes to; may be null.
void use(Board *board) noexcept;
/// Records that a function of the driver is about to be called. On any thread; the last one counts.
void say(std::string_view function, std::string_view about) noexcept;

} // namespace omnistore::kit::progress
