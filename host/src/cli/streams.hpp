// SPDX-License-Identifier: Apache-2.0
// The standard streams that the program was started with.
#pragma once

namespace omnistore::cli {

/// Opens /dev/null on each of the descriptors 0 to 2 that is closed, so that no file or socket which is opened later
/// takes its number and gets the output of a stream. Call it before anything else opens a descriptor.
void open_streams();

/// Returns true if this descriptor, 0 to 2, was closed when open_streams() was called.
bool was_closed(int descriptor);

} // namespace omnistore::cli
