// SPDX-License-Identifier: Apache-2.0
// The only file that another prefix compiles again.
#include "installed.hpp"

namespace omnistore::loader {

const char *const installed_plugins = OMNISTORE_PREFIX "/lib/omnistore/plugins";
const char *const installed_helpers = OMNISTORE_PREFIX "/libexec/omnistore";

} // namespace omnistore::loader
