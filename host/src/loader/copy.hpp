// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "descriptor.hpp"

namespace omnistore::loader {

/// A copy of a plugin that nobody writes into any more, so that the host may keep it mapped.
struct Copy {
  std::string path;
  Descriptor lock; ///< while it is open no process takes the copy away
};

/// The copy of `bytes`, made or found again, in the user's private folder: $XDG_RUNTIME_DIR/omnistore-UID, else
/// omnistore-UID in the temporary folder. Its name holds its content's hash, so that other content is another file
/// and the linker never takes a new generation for the old. Copies of the same stem that no process holds are taken
/// away when a new one is made. Throws std::runtime_error that says why no folder would do.
Copy private_copy(const std::string &stem, std::string_view bytes);

} // namespace omnistore::loader
