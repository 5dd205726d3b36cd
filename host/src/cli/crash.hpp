// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace omnistore::cli {

/// From here on a fatal signal, and an exit() that a plugin calls, say on standard error which plugin file, driver,
/// mount and function ran on the thread. The signal then does what it does without this; after the exit() the program
/// ends with the code of a failed store. Call it once, before other threads run.
void report_crashes();

} // namespace omnistore::cli
