// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace omnistore::loader {

/// The facts in a file's own tables, which are read before any of its code runs.
struct ElfFacts {
  bool by_origin = false;          ///< it finds libraries relative to its own folder ($ORIGIN)
  std::vector<std::string> needed; ///< the libraries that it is linked with (DT_NEEDED), in its own order
};

/// Reads the tables. Throws PluginError unless the bytes are a complete shared library for this machine that exports
/// `entry`. A file that passes can be mapped: a truncated library would end the process by SIGBUS.
ElfFacts vet_elf(std::string_view bytes, std::string_view entry);

} // namespace omnistore::loader
