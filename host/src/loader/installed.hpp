// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace omnistore::loader {

// The places in the prefix that the build was configured with. Programs in other folders that embed the host use them.
extern const char *const installed_plugins;
extern const char *const installed_helpers;

} // namespace omnistore::loader
