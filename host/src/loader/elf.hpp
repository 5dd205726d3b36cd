// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace omnistore::loader {

/// What a file's own tables tell of it before any of its code runs.
struct ElfFacts {
  bool by_origin = false; ///< it finds libraries of its own relative to where it lies ($ORIGIN)
};

/// Throws Unfit where the bytes are no whole shared library for this machine that exports `entry`. What it lets
/// through can be mapped: a truncated library would end the process by SIGBUS.
ElfFacts vet_elf(std::string_view bytes, std::string_view entry);

} // namespace omnistore::loader
