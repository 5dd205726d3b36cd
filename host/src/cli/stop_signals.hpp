// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM as a way to end well, for the commands that run until then.
#pragma once

#include <chrono>

namespace omnistore::cli {

/// wait_or_stop() throws it if a signal came while it waited.
struct Stopped {};

/// While a job runs, `descriptor` can be read once it is to stop; -1: no job runs, and signals end the program.
void set_stop_descriptor(int descriptor);
/// Returns true if a job runs.
bool stops_by_signal();
/// Waits until `descriptor` gives or takes bytes (POLLIN, POLLOUT). Throws Stopped if the job is to stop before that.
/// Returns at once, and true, if no job runs or the descriptor is of a regular file: then a call never waits. Returns
/// false if a write of more than PIPE_BUF bytes would wait. [any thread]
bool wait_or_stop(int descriptor, short events);

/// From now on the signals, and SIGHUP if it is wanted too, wait for wait_for_stop(). Call it before any thread starts,
/// so that all of them inherit it.
void hold_stop_signals(bool and_hangup = false);
/// Waits for a signal that is held and returns it, or 0 if the descriptor can be read before that. -1: no descriptor.
int wait_for_stop(int descriptor = -1);
/// Returns the signal that is held and comes within the time; 0 if none comes.
int signal_within(std::chrono::milliseconds time);
/// Returns true if a signal that is held comes within the time.
inline bool stop_within(std::chrono::milliseconds time) { return signal_within(time) != 0; }
/// From now on Ctrl-C and SIGTERM end the process at once.
void let_signals_end();

} // namespace omnistore::cli
