// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <omnistore/driver.h>

#include "elf.hpp"
#include "plugin_file.hpp"

namespace omnistore::loader {

/// The ABI versions that this host speaks.
extern const omnistore_abi host_abi;

/// A plugin whose library is loaded, whose entry function was called, and whose ABI major this host speaks.
struct LoadedPlugin {
  const omnistore_plugin *plugin = nullptr; ///< the plugin's own table, valid as long as the lease
  std::shared_ptr<const void> lease;   ///< keeps the library loaded; the last one unloads it if the plugin allows it
  std::function<std::string()> sha256; ///< see Driver::sha256
};

/// Sets `file.copy` to the file to load: a private copy, so that the original may be overwritten while the host runs.
/// If no copy can be made, it is the original, and the log has a warning.
void place(PluginFile &file, const ElfFacts &facts);

/// Loads a vetted file after place(), and calls its entry function. Throws PluginError if the linker fails, if the
/// entry function throws or returns null, or if the ABI major is another one. The process does one load at a time.
LoadedPlugin open_plugin(PluginFile &file);

} // namespace omnistore::loader
