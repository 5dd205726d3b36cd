// SPDX-License-Identifier: Apache-2.0
// Turns plugin files into drivers: finds the plugins, loads them, and keeps their drivers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/config.hpp>
#include <omnistore/driver.h>
#include <omnistore/error.hpp>

namespace omnistore::loader {

/// A driver of a loaded plugin. It keeps the plugin loaded: hold it as long as a store of it is open.
struct Driver {
  std::string name, version, summary;
  std::string file;        ///< the absolute path of the plugin, as it was found
  std::string plugin_name; ///< the plugin's own name, else the stem of its file
  std::string plugin_version;
  std::uint32_t abi_major = 0, abi_minor = 0;
  /// A copy of the plugin's table, in which fields beyond the plugin's own size are zero. Required entries are not
  /// null.
  omnistore_driver table{};
  omnistore_traits traits{};         ///< likewise; table.traits points here
  boost::json::object schema;        ///< the schema of the options; that of an empty object if the driver has none
  std::shared_ptr<const void> lease; ///< keeps the library
  /// Returns "sha256:HEX" of the bytes that were loaded, even if the file has changed. The first call takes some
  /// milliseconds for each megabyte. Thread-safe.
  std::function<std::string()> sha256;
};

/// A plugin file that was found and cannot be used.
struct RejectedPlugin {
  std::string file;
  std::string reason;       ///< "it was built for ABI 2.0, this host speaks 1.0 to 1.0"
  std::string advice;       ///< "rebuild it against this host's SDK"; may be empty
  std::string text() const; ///< returns "FILE: REASON; ADVICE"
};

struct SearchPaths {
  std::vector<std::string> config;         ///< folders or files from the config, absolute
  std::map<std::string, std::string> pins; ///< the stem of a file to "sha256:HEX"
  std::string lock{};                      ///< the lock file (lock.hpp) that must have every plugin; empty for none
};

/// Returns the paths, pins and lock file of a config.
inline SearchPaths search_paths(const Config &config) { return {config.plugin_paths, config.pins, config.plugin_lock}; }

/// A usable plugin file and its drivers.
struct PluginInfo {
  std::string file, sha256, name, version;
  std::string abi;                            ///< "1.0"
  std::map<std::string, std::string> drivers; ///< name to version
};

/// Finds plugins in the config's paths, in OMNISTORE_PLUGIN_PATH (separated by ':'), beside the host's build
/// (BUILD/plugins for BUILD/bin/omnistore) and in the installed folder (PREFIX/lib/omnistore/plugins), in this order.
/// If two plugins have a driver of the same name, the first one is used and the other is rejected.
///
/// A file whose stem is the driver's name (`fs.so` or `omnistore-fs.so`, with or without "lib") is tried first, so that
/// a host with many plugins loads only those that it uses.
///
/// With a lock file, a plugin that is not in it, or differs from it, is refused before the file is mapped or probed.
/// The lock file is read again after it has changed.
///
/// Thread-safe. The process does one load at a time.
class Registry {
public:
  /// Reuses the plugins of `before` whose files did not change, and their Drivers.
  explicit Registry(SearchPaths paths, const Registry *before = nullptr);
  ~Registry();
  Registry(const Registry &) = delete;
  Registry &operator=(const Registry &) = delete;

  /// Returns the driver of this name. Throws Error(not_found) with every searched path, the reasons why plugins were
  /// rejected, and the nearest name. Throws Error(invalid) if the plugin of that name exists but cannot be used.
  std::shared_ptr<const Driver> find(const std::string &name);
  /// Loads every usable plugin, and returns their drivers by name.
  std::vector<std::shared_ptr<const Driver>> all();
  /// Returns the files that all() loads, by path, including those whose drivers are not used because an earlier file
  /// has a driver of the same name. A file with several names is listed once.
  std::vector<PluginInfo> plugins();
  /// Returns every file that may be a plugin, in the order of the search, without opening any.
  std::vector<std::string> files() const;
  /// Returns the plugins that were rejected so far.
  std::vector<RejectedPlugin> rejected() const;
  /// Returns the path of the lock file, or an empty text.
  std::string lock() const;
  /// Returns the folders and files of the search, in order, even if they do not exist.
  std::vector<std::string> searched() const;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::loader
