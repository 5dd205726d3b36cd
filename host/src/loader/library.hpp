// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <omnistore/driver.h>

#include "elf.hpp"
#include "plugin_file.hpp"

namespace omnistore::loader {

/// What this host speaks.
extern const omnistore_abi host_abi;

/// A plugin whose library is loaded, whose entry was called, and whose ABI major this host speaks.
struct Opened {
  const omnistore_plugin *plugin = nullptr; ///< the plugin's own: valid as long as the lease
  std::shared_ptr<const void> lease;        ///< keeps the library; it goes with the last one where the plugin allows it
  std::function<std::string()> sha256;      ///< see Driver::sha256
};

/// Sets `file.copy` to what is to be loaded: a copy of the file, so that the file may be overwritten while the host
/// runs, or if none can be made the file itself, with a warning in the log.
void place(PluginFile &file, const ElfFacts &facts);

/// Loads a vetted file that was placed, and calls its entry. Throws Unfit: the linker's own words, an entry that throws
/// or returns null, another ABI major. Loads are serialised in the process.
Opened open_plugin(PluginFile &file);

} // namespace omnistore::loader
