// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM as a way to end well, for the commands that run until they are told to.
#pragma once

namespace omnistore::cli {

/// From now on the signals wait for wait_for_stop(). Before any thread starts, so that all of them inherit it.
void hold_stop_signals();
/// Returns which of them came, once one has; 0 where the descriptor can be read before that. -1: no descriptor.
int wait_for_stop(int descriptor = -1);
/// From now on they end the process at once.
void let_signals_end();

} // namespace omnistore::cli
