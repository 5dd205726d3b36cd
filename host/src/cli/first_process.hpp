// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace omnistore::cli {

/// If this is the first process of a container (PID 1), the program continues in a child of it. The first process
/// passes signals on, reaps the orphans that the kernel gives it, and ends with the child's exit code. The kernel
/// ignores a signal to PID 1 that has no handler, and only PID 1 can reap orphans: in a child the host behaves as
/// anywhere else. Call it before any thread starts.
void leave_first_process();

} // namespace omnistore::cli
