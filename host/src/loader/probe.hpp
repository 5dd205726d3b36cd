// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin_file.hpp"

namespace omnistore::loader {

/// The names that a plugin's table gives its drivers.
using DriverNames = std::vector<std::string>;

/// Loads a plugin in a process of its own and walks its table there. `path` is what the host would load: the plugin's
/// file or its copy. Throws Unfit if that process crashes, exits or takes longer than two seconds. nullopt: it could
/// not be tried, since omnistore-probe is not there or no process can be started; the log says so once.
///
/// The process runs a small program that is installed beside the host (libexec/omnistore/omnistore-probe), not a fork
/// of this one: a fork of a process with threads may hold locks for ever whose owners it lacks, the loader's among
/// them. Programs that embed the host are served by the same program; OMNISTORE_PROBE names another, or none if it is
/// empty.
///
/// A content that passed is remembered in the user's cache folder ($XDG_CACHE_HOME/omnistore/plugins, else
/// ~/.cache/omnistore/plugins, else /var/cache/omnistore/plugins), and not tried again: by the file's device, inode,
/// size and times, else by its SHA-256. Where that folder cannot be used each load is tried. Thread-safe.
std::optional<DriverNames> probe(const PluginFile &plugin, const std::string &path);

/// The same, if the file's content is known already.
std::optional<DriverNames> known_good(const PluginFile &plugin);

} // namespace omnistore::loader
