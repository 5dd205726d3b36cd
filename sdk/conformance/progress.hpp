// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace omnistore::kit::progress {

/// What the process of a test is doing, kept where its parent reads it when the process dies or hangs.
struct Board {
  unsigned calls;    ///< how many were made; a test in which this stands still hangs
  char doing[256];   ///< the last call: "set" and its key
  char verdict[512]; ///< what a signal handler found out
};

/// The board that say() writes to; null: nowhere.
void use(Board *board) noexcept;
/// The driver's function is about to be called. From any thread: the last one counts.
void say(std::string_view function, std::string_view about) noexcept;

} // namespace omnistore::kit::progress
