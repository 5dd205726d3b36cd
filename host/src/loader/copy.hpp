// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
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
/// omnistore-UID in the temporary folder. Its name holds `mark`, a hash of the file that it was made of, and where
/// that names other bytes already, a number: other content is another file, and the linker never takes a new generation
/// for the old. Copies of the same stem that no process holds are taken away when a new one is made. Throws
/// std::runtime_error that says why no folder would do.
Copy private_copy(const std::string &stem, std::uint64_t mark, std::string_view bytes);

/// The copy under that name, where it holds just what `file`, of `size` bytes, holds; else one without a lock.
Copy kept_copy(const std::string &stem, std::uint64_t mark, const Descriptor &file, std::uint64_t size);

} // namespace omnistore::loader
