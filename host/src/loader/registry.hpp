// SPDX-License-Identifier: Apache-2.0
// From files to drivers: which plugins there are, which of them can be loaded, which drivers they offer.
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

/// A driver that a loaded plugin offers. It keeps its plugin loaded: hold it as long as a store of it is open.
struct Driver {
  std::string name, version, summary;
  std::string file;        ///< the plugin's, absolute, as it was found
  std::string plugin_name; ///< what the plugin calls itself, else the file's stem
  std::string plugin_version;
  std::uint32_t abi_major = 0, abi_minor = 0;
  /// The plugin's table, copied; what lies beyond the plugin's own size is zero. Required entries are there; optional
  /// ones may be null.
  omnistore_driver table{};
  omnistore_traits traits{};         ///< likewise; table.traits points here
  boost::json::object schema;        ///< of the options; an empty object's where the driver has none
  std::shared_ptr<const void> lease; ///< keeps the library
  /// Returns "sha256:HEX" of the file's bytes as they were loaded, whatever the file holds now. The first call computes
  /// it, some milliseconds for each megabyte. Thread-safe.
  std::function<std::string()> sha256;
};

/// A plugin file that was found and could not be used.
struct Reject {
  std::string file;
  std::string reason;       ///< "it was built for ABI 2.0, this host speaks 1.0 to 1.0"
  std::string advice;       ///< "rebuild it against this host's SDK"; may be empty
  std::string text() const; ///< "FILE: REASON; ADVICE"
};

struct SearchPaths {
  std::vector<std::string> config;         ///< from the config, absolute: folders or files
  std::map<std::string, std::string> pins; ///< file stem -> "sha256:HEX"
  std::string lock{};                      ///< the lock file (lock.hpp) that every plugin must be in; empty: none
};

/// What a config says about its plugins.
inline SearchPaths search_paths(const Config &config) { return {config.plugin_paths, config.pins, config.plugin_lock}; }

/// A file that can be used, and what it holds.
struct PluginInfo {
  std::string file, sha256, name, version;
  std::string abi;                            ///< "1.0"
  std::map<std::string, std::string> drivers; ///< name -> version
};

/// Finds plugins in the config's paths, in OMNISTORE_PLUGIN_PATH (separated by ':'), beside the host's build
/// (BUILD/bin/omnistore -> BUILD/plugins) and in the installed folder (PREFIX/lib/omnistore/plugins), in this order;
/// where two offer one driver name, the first one found has it and the other is a reject.
///
/// A file whose stem is the driver's name (`fs.so` or `omnistore-fs.so`, with or without "lib") is tried first, so
/// that a host with many plugins loads only those that it uses.
///
/// With a lock file, a plugin that is not in it, or differs from it, is refused before the file is mapped or probed.
/// The lock file is read anew when it has changed.
///
/// Thread-safe. Loads are serialised in the process.
class Registry {
public:
  /// Plugins that `before` has loaded, and whose files did not change, are the same ones here: their Drivers too.
  explicit Registry(SearchPaths paths, const Registry *before = nullptr);
  ~Registry();
  Registry(const Registry &) = delete;
  Registry &operator=(const Registry &) = delete;

  /// Throws Error(not_found) with every path tried, why the others were off, and the nearest name; or Error(invalid)
  /// where a plugin of that very name is there and cannot be used.
  std::shared_ptr<const Driver> find(const std::string &name);
  /// Loads every plugin that can be loaded; their drivers by name.
  std::vector<std::shared_ptr<const Driver>> all();
  /// The files that all() loads, by path, also those whose drivers are not used since an earlier file has one of that
  /// name. A file that has several names is there once.
  std::vector<PluginInfo> plugins();
  /// Every file that may be a plugin, in the order of the search. Nothing is opened.
  std::vector<std::string> files() const;
  /// What was off with those that were looked at until now.
  std::vector<Reject> rejects() const;
  /// The lock file's path; empty: none.
  std::string lock() const;
  /// The folders and files looked in, whether they exist or not, in order.
  std::vector<std::string> searched() const;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::loader
