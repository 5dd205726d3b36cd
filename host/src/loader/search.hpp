// SPDX-License-Identifier: Apache-2.0
// The folders that are searched for plugins, and the files in them that may be plugins. Nothing here opens a file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace omnistore::loader {

/// A folder of plugins, or one plugin file. It need not exist.
struct SearchPath {
  std::string path;   ///< absolute
  std::string origin; ///< its source: "config", "OMNISTORE_PLUGIN_PATH", "build" or "installed"
};

/// Returns the config's paths, those of OMNISTORE_PLUGIN_PATH, BUILD/plugins for a program BUILD/bin/x or
/// BUILD/tests/x, and PREFIX/lib/omnistore/plugins for a program PREFIX/bin/x, each path once.
std::vector<SearchPath> search_places(const std::vector<std::string> &config);

/// Returns the path of one of Omnistore's own files that are neither programs for users nor plugins:
/// BUILD/libexec/NAME, or PREFIX/libexec/omnistore/NAME for the program's prefix, else for that of the build. Empty if
/// there is none.
std::string helper_file(const std::string &name);

/// Returns the suffix of plugin files on this system.
std::string plugin_suffix();

/// Returns "libomnistore-fs" for "/x/libomnistore-fs.so".
std::string stem_of(const std::string &file);

/// Returns "fs" for "libomnistore-fs", "omnistore-fs", "libfs" and "fs".
std::string_view bare_name(std::string_view stem);

/// Ranks how well a file's name matches a driver: 0 for NAME.so, then omnistore-NAME.so, libNAME.so and
/// libomnistore-NAME.so. Returns no_fit if the name does not match.
std::size_t fit(const std::string &file, const std::string &driver);
constexpr std::size_t no_fit = 4;

/// Returns the files whose names match a driver, the best match first, without listing a folder.
std::vector<std::string> fitting_files(const SearchPath &place, const std::string &driver);

/// Returns every file that may be a plugin, by name: in a folder all files with the suffix, or the named file itself,
/// whatever its name. Returns nothing if the path does not exist.
std::vector<std::string> plugin_files(const SearchPath &place);

/// Describes a search path for a message: "no such file or folder", "3 plugin files".
std::string describe(const SearchPath &place);

} // namespace omnistore::loader
