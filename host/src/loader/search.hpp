// SPDX-License-Identifier: Apache-2.0
// Where plugins are looked for, and which files there may be some. Nothing here opens a file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace omnistore::loader {

/// A folder of plugins, or one plugin's file, which need not exist.
struct Place {
  std::string path;   ///< absolute
  std::string origin; ///< who named it: "config", "OMNISTORE_PLUGIN_PATH", "build", "installed"
};

/// The config's paths, those of OMNISTORE_PLUGIN_PATH, BUILD/plugins for a program BUILD/bin/x or BUILD/tests/x, and
/// PREFIX/lib/omnistore/plugins for a program PREFIX/bin/x; each path once.
std::vector<Place> search_places(const std::vector<std::string> &config);

/// What a plugin's file name ends in on this system.
std::string plugin_suffix();

/// "libomnistore-fs" of "/x/libomnistore-fs.so".
std::string stem_of(const std::string &file);

/// "fs" of "libomnistore-fs", "omnistore-fs", "libfs" and "fs".
std::string_view bare_name(std::string_view stem);

/// How plainly a file's name says that it offers this driver: 0 is NAME.so, then come omnistore-NAME.so, libNAME.so and
/// libomnistore-NAME.so; no_fit: it says nothing of it.
std::size_t fit(const std::string &file, const std::string &driver);
constexpr std::size_t no_fit = 4;

/// The files of a place whose names fit a driver, the plainest name first; without listing a folder.
std::vector<std::string> fitting_files(const Place &place, const std::string &driver);

/// Every file of a place that may be a plugin, by name; nothing where the place does not exist. A file that was named
/// itself may have any name; in a folder those count that end in the suffix.
std::vector<std::string> plugin_files(const Place &place);

/// What there is in a place, as a message says it: "no such file or folder", "3 plugin files".
std::string describe(const Place &place);

} // namespace omnistore::loader
