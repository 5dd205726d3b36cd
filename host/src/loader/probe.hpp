// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin_file.hpp"

namespace omnistore::loader {

/// The names of a plugin's drivers, from its table.
using DriverNames = std::vector<std::string>;

/// Loads a plugin in a process of its own and reads its table there. `path` is the file that the host will load: the
/// plugin or its copy. Throws PluginError if that process crashes, exits or takes longer than two seconds. Returns
/// nullopt if omnistore-probe is missing or no process can be started, which is logged once.
///
/// The process runs a small program that is installed beside the host (libexec/omnistore/omnistore-probe). It is not a
/// fork of this process, since a fork of a process with threads has locks whose owners it lacks, such as the linker's.
/// Programs that embed the host use the same program. OMNISTORE_PROBE names another one, or none if it is empty.
///
/// Contents that passed are remembered in the user's cache folder ($XDG_CACHE_HOME/omnistore/plugins, else
/// ~/.cache/omnistore/plugins, else /var/cache/omnistore/plugins) by the file's device, inode, size and times, or by
/// its SHA-256, and are not probed again. If that folder cannot be used, each load is probed. Thread-safe.
std::optional<DriverNames> probe(const PluginFile &plugin, const std::string &path);

/// Returns the path of omnistore-probe; empty if it is missing.
std::string probe_program();

/// The same, for a file whose contents are known.
std::optional<DriverNames> known_good(const PluginFile &plugin);

} // namespace omnistore::loader
