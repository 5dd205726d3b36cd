// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace omnistore::loader {

/// What a file's own tables say about it before any of its code runs.
struct ElfFacts {
  bool by_origin = false;          ///< it finds libraries of its own relative to where it lies ($ORIGIN)
  std::vector<std::string> needed; ///< the libraries that it is linked with (DT_NEEDED), in its own order
};

/// Reads the tables. Throws Unfit if the bytes are no whole shared library for this machine that exports `entry`. A
/// file that passes can be mapped: a truncated library would end the process by SIGBUS.
ElfFacts vet_elf(std::string_view bytes, std::string_view entry);

} // namespace omnistore::loader
