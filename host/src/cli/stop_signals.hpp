// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM as a way to end well, for the commands that run until they are told to.
#pragma once

#include <chrono>

namespace omnistore::cli {

/// From now on the signals, and SIGHUP where it is wanted too, wait for wait_for_stop(). Before any thread starts, so
/// that all of them inherit it.
void hold_stop_signals(bool and_hangup = false);
/// Returns which of those that are held came, once one has; 0 where the descriptor can be read before that. -1: no
/// descriptor.
int wait_for_stop(int descriptor = -1);
/// Whether one that is held comes within the time.
bool stop_within(std::chrono::milliseconds time);
/// From now on Ctrl-C and SIGTERM end the process at once.
void let_signals_end();

} // namespace omnistore::cli
