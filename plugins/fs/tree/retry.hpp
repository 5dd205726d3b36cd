// SPDX-License-Identifier: Apache-2.0
// System calls that a signal may interrupt.
#pragma once

#include <cerrno>

namespace fs {

/// Calls a function of the system, and calls it again while a signal interrupts it (EINTR). Every call of this driver
/// that works on files goes through here, except `close`: if that returns EINTR, Linux has closed the descriptor
/// already.
template <class Function, class... Arguments>
inline auto retry(Function function, Arguments... arguments) {
  for (;;) {
    const auto result = function(arguments...);
    if (result != -1 || errno != EINTR) return result;
  }
}

} // namespace fs
