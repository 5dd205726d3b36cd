// SPDX-License-Identifier: Apache-2.0
#include "registry.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/printable.hpp"
#include "config/schema.hpp"
#include "elf.hpp"
#include "library.hpp"
#include "lock.hpp"
#include "negotiate.hpp"
#include "plugin_error.hpp"
#include "plugin_file.hpp"
#include "probe.hpp"
#include "search.hpp"
#include "vet.hpp"

namespace omnistore::loader {

std::string RejectedPlugin::text() const { return file + ": " + reason + (advice.empty() ? "" : "; " + advice); }

class Registry::Impl {
public:
  Impl(SearchPaths paths, const Impl *before)
      : pins_(std::move(paths.pins)), lock_(std::move(paths.lock)), places_(search_places(paths.config)),
        before_(before ? before->loaded() : std::map<std::string, Loaded>()) {}

  std::shared_ptr<const Driver> find(const std::string &name);
  std::vector<std::shared_ptr<const Driver>> all();
  std::vector<RejectedPlugin> rejected() const;
  std::vector<std::string> searched() const;
  std::vector<PluginInfo> plugins();
  std::vector<std::string> files() const;
  const std::string &lock() const { return lock_; }

private:
  /// Decides which of two drivers of the same name is used, whatever the order of the calls: that of a file named after
  /// the driver, then that of the earlier search path, then that of the plainer file name, then the first in the
  /// alphabet.
  using Rank = std::tuple<bool, std::size_t, std::size_t, std::string>;
  struct Offer {
    std::shared_ptr<const Driver> driver;
    Rank rank;
  };
  struct Rejected {
    RejectedPlugin reject;
    std::string driver; ///< the driver that cannot be used; empty for the whole file
    bool concerns(const std::string &name) const {
      return driver.empty() ? fit(reject.file, name) != no_fit : driver == name;
    }
  };

  /// The drivers of a file, and the state of the file.
  struct Loaded {
    FileId id;
    Offers offers;
    bool without_copy = false; ///< it was loaded without a copy
  };
  std::map<std::string, Loaded> loaded() const {
    const std::lock_guard guard(mutex_);
    return loaded_;
  }

  void look_at(const std::string &file, std::size_t place, const std::string *wanted = nullptr);
  const Offers *offers_of(PluginFile &plugin, const std::string *wanted);
  void check_lock(const PluginFile &plugin);
  void load(const std::string &file, std::size_t place, const std::string *wanted);
  void load_all();
  void forget_replaced(const std::string &name);
  void log_replacement(const std::string &file) const;
  void offer(std::shared_ptr<const Driver> driver, std::size_t place);
  void reject(const std::string &file, const std::string &driver, const PluginError &reason);
  std::shared_ptr<const Driver> known(const std::string &name) const;
  std::optional<std::string> pin_of(const std::string &file) const;
  std::string reasons(const std::string &name) const;
  void refuse_unusable(const std::string &name) const;
  std::string not_found(const std::string &name) const;

  const std::map<std::string, std::string> pins_;
  const std::string lock_;
  const std::vector<SearchPath> places_;
  const std::map<std::string, Loaded> before_; ///< of the predecessor, by path

  mutable std::mutex mutex_;
  std::map<std::string, Offer> offers_;
  std::map<std::string, Loaded> loaded_; ///< by path
  std::set<std::string> loaded_paths_;   ///< the files with a driver
  std::set<FileId> loaded_files_;        ///< the same files, since one file may have two names
  std::vector<Rejected> rejects_;
  std::vector<LockedPlugin> locked_;
  FileId lock_id_;                              ///< the state of the lock file that `locked_` was read from
  std::set<std::string> logged_;                ///< rejected plugins that are in the log
  std::map<std::string, DriverNames> unloaded_; ///< the drivers of files that were not loaded, by path
  std::map<std::string, std::map<std::string, std::string>> replaced_; ///< by path: driver to earlier version
};

/// Loads a file unless it is loaded already. An unusable one is tried again, since it may have been repaired. With
/// `wanted`, loads the file only if it may have that driver.
void Registry::Impl::look_at(const std::string &file, std::size_t place, const std::string *wanted) {
  if (loaded_paths_.contains(file)) return;
  std::erase_if(rejects_, [&](const Rejected &one) { return one.reject.file == file; });
  try {
    load(file, place, wanted);
  } catch (const PluginError &reason) {
    reject(file, {}, reason);
  } catch (const std::exception &error) {
    reject(file, {}, PluginError(error.what()));
  }
}

/// Returns null if the file does not have the wanted driver and was not loaded.
const Offers *Registry::Impl::offers_of(PluginFile &plugin, const std::string *wanted) {
  const auto before = before_.find(plugin.path);
  // A copy that was found has the same bytes. Without one, compare the state of the file.
  const bool same =
      before != before_.end() && before->second.id == plugin.id && (plugin.copy.lock || before->second.without_copy);
  Loaded loaded = same ? before->second : Loaded{plugin.id, {}, false};
  if (!same) {
    const ElfFacts facts = vet_elf(plugin.bytes, OMNISTORE_ENTRY);
    std::optional<DriverNames> names = known_good(plugin);
    const auto offers_wanted = [&] { return std::find(names->begin(), names->end(), *wanted) != names->end(); };
    if (!names) {
      place(plugin, facts);
      names = probe(plugin, plugin.copy.path);
    }
    if (wanted && names && !offers_wanted()) {
      unloaded_[plugin.path] = std::move(*names);
      return nullptr;
    }
    place(plugin, facts);
    loaded.without_copy = facts.by_origin;
    loaded.offers = negotiate(plugin.path, open_plugin(plugin));
  }
  unloaded_.erase(plugin.path);
  return &loaded_.insert_or_assign(plugin.path, std::move(loaded)).first->second.offers;
}

/// Forgets the drivers of a replaced file, so that it is loaded again. Open stores keep the old code.
void Registry::Impl::forget_replaced(const std::string &name) {
  const auto offered = offers_.find(name);
  if (offered == offers_.end()) return;
  const std::string file = offered->second.driver->file;
  const auto loaded = loaded_.find(file);
  if (loaded == loaded_.end() || loaded->second.id == id_of(file)) return;
  std::map<std::string, std::string> &versions = replaced_[file];
  std::erase_if(offers_, [&](const auto &entry) {
    if (entry.second.driver->file != file) return false;
    versions[entry.first] = entry.second.driver->version;
    return true;
  });
  loaded_paths_.erase(file);
  loaded_files_.erase(loaded->second.id);
  loaded_.erase(loaded);
}

void Registry::Impl::log_replacement(const std::string &file) const {
  const auto replaced = replaced_.find(file);
  if (replaced == replaced_.end()) return;
  for (const auto &[name, version] : replaced->second)
    if (const auto driver = known(name); driver && driver->file == file)
      spdlog::info("plugin {} was replaced: {} {} -> {}", file, name, version, driver->version);
}

/// Throws PluginError if there is a lock file that does not have exactly this file.
void Registry::Impl::check_lock(const PluginFile &plugin) {
  if (lock_.empty()) return;
  if (const FileId now = id_of(lock_); now != lock_id_ || now == FileId()) {
    lock_id_ = {};
    try {
      locked_ = read_lock(lock_);
    } catch (const PluginError &wrong) {
      throw PluginError("the lock file " + lock_ + " cannot be used: " + wrong.what(), wrong.advice);
    }
    lock_id_ = now;
  }
  vet_lock(lock_, locked_, plugin.path, sha256(plugin.bytes));
}

void Registry::Impl::load(const std::string &file, std::size_t place, const std::string *wanted) {
  vet_permissions(file, ::geteuid());
  PluginFile plugin = read_plugin(file);
  if (loaded_files_.contains(plugin.id)) return;
  check_lock(plugin);
  if (const auto pin = pin_of(file)) vet_pin(plugin.bytes, *pin);
  const Offers *found = offers_of(plugin, wanted);
  if (!found) return;
  const Offers &offers = *found;
  for (const Offers::Unusable &one : offers.unusable) reject(file, one.driver, one.reason);
  for (const auto &driver : offers.drivers) {
    try {
      if (const auto pin = pins_.find(driver->name); pin != pins_.end()) vet_pin(plugin.bytes, pin->second);
      loaded_paths_.insert(file);
      loaded_files_.insert(plugin.id);
      offer(driver, place);
    } catch (const PluginError &reason) {
      reject(file, driver->name, PluginError("its driver '" + driver->name + "': " + reason.what(), reason.advice));
    }
  }
  log_replacement(file);
  replaced_.erase(file);
}

void Registry::Impl::offer(std::shared_ptr<const Driver> driver, std::size_t place) {
  const std::string name = driver->name;
  const std::size_t how = fit(driver->file, name);
  Offer offer{driver, {how == no_fit, place, how, driver->file}};
  const auto [at, is_new] = offers_.try_emplace(name, offer);
  if (is_new) return;
  if (offer.rank < at->second.rank) std::swap(offer, at->second);
  reject(
      offer.driver->file, name,
      PluginError("its driver '" + name + "' is not used, since " + at->second.driver->file + " has one of that name",
                  "take one of the two files away"));
}

void Registry::Impl::reject(const std::string &file, const std::string &driver, const PluginError &reason) {
  rejects_.push_back({{file, reason.what(), reason.advice}, driver});
  if (std::string text = rejects_.back().reject.text(); logged_.insert(text).second)
    spdlog::info("plugin {}", base::printable(text));
}

std::shared_ptr<const Driver> Registry::Impl::known(const std::string &name) const {
  const auto at = offers_.find(name);
  return at == offers_.end() ? nullptr : at->second.driver;
}

/// A pin of `fs` also holds for `libomnistore-fs.so`, and below for every driver of that name, so that nobody can avoid
/// it by another file name.
std::optional<std::string> Registry::Impl::pin_of(const std::string &file) const {
  const std::string stem = stem_of(file);
  for (const std::string &name : {stem, std::string(bare_name(stem))})
    if (const auto at = pins_.find(name); at != pins_.end()) return at->second;
  return std::nullopt;
}

std::shared_ptr<const Driver> Registry::Impl::find(const std::string &name) {
  const std::lock_guard guard(mutex_);
  forget_replaced(name);
  if (auto driver = known(name)) return driver;

  // A name such as ../x must not leave the folders.
  for (std::size_t i = 0; i < places_.size() && is_driver_name(name); ++i) {
    for (const std::string &file : fitting_files(places_[i], name)) {
      look_at(file, i);
      auto driver = known(name);
      if (!driver) continue;
      if (const std::string why = reasons(name); !why.empty())
        spdlog::warn("driver {}: taken from {}, since files before it cannot be used:{}", name, driver->file, why);
      return driver;
    }
  }
  refuse_unusable(name);

  for (std::size_t i = 0; i < places_.size(); ++i) {
    for (const std::string &file : plugin_files(places_[i])) {
      look_at(file, i, &name);
      if (auto driver = known(name)) return driver;
    }
  }
  refuse_unusable(name);
  throw Error(Status::not_found, not_found(name));
}

void Registry::Impl::refuse_unusable(const std::string &name) const {
  if (const std::string why = reasons(name); !why.empty())
    throw Error(Status::invalid, "the driver '" + base::printable(name) + "' cannot be used:" + why);
}

/// Returns the reasons why files that should have the driver are not usable, one on each line.
std::string Registry::Impl::reasons(const std::string &name) const {
  std::string text;
  for (const Rejected &one : rejects_)
    if (one.concerns(name)) text += "\n  " + one.reject.text();
  return text;
}

std::string Registry::Impl::not_found(const std::string &name) const {
  std::vector<std::string> names;
  for (const auto &[known_name, offer] : offers_) names.push_back(known_name);
  for (const auto &[file, offered] : unloaded_)
    std::copy_if(offered.begin(), offered.end(), std::back_inserter(names), is_driver_name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  std::string text = "there is no driver '" + base::printable(name) + "'";
  if (const std::string near = config::nearest(name, names); !near.empty()) text += "; did you mean '" + near + "'?";
  text += "\n  drivers:";
  for (const std::string &one : names) text += (&one == &names.front() ? " " : ", ") + one;
  if (names.empty()) text += " none";
  text += "\n  looked in:";
  for (const SearchPath &place : places_) text += "\n    " + place.path + " (" + place.origin + "): " + describe(place);
  if (!rejects_.empty()) text += "\n  not usable:";
  for (const Rejected &one : rejects_) text += "\n    " + one.reject.text();
  return text;
}

void Registry::Impl::load_all() {
  for (std::size_t i = 0; i < places_.size(); ++i)
    for (const std::string &file : plugin_files(places_[i])) look_at(file, i);
}

std::vector<PluginInfo> Registry::Impl::plugins() {
  const std::lock_guard guard(mutex_);
  load_all();
  std::vector<PluginInfo> plugins;
  for (const std::string &file : loaded_paths_) {
    const auto &drivers = loaded_.at(file).offers.drivers;
    const Driver &first = *drivers.front(); // each path has at least one driver
    PluginInfo &plugin = plugins.emplace_back();
    plugin = {file,
              first.sha256(),
              first.plugin_name,
              first.plugin_version,
              std::to_string(first.abi_major) + "." + std::to_string(first.abi_minor),
              {}};
    for (const auto &driver : drivers) plugin.drivers.emplace(driver->name, driver->version);
  }
  return plugins;
}

std::vector<std::string> Registry::Impl::files() const {
  std::vector<std::string> files;
  for (const SearchPath &place : places_)
    for (std::string &file : plugin_files(place))
      if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(std::move(file));
  return files;
}

std::vector<std::shared_ptr<const Driver>> Registry::Impl::all() {
  const std::lock_guard guard(mutex_);
  load_all();
  std::vector<std::shared_ptr<const Driver>> drivers;
  for (const auto &[name, offer] : offers_) drivers.push_back(offer.driver);
  return drivers;
}

std::vector<RejectedPlugin> Registry::Impl::rejected() const {
  const std::lock_guard guard(mutex_);
  std::vector<RejectedPlugin> rejects;
  for (const Rejected &one : rejects_) rejects.push_back(one.reject);
  return rejects;
}

std::vector<std::string> Registry::Impl::searched() const {
  std::vector<std::string> paths;
  for (const SearchPath &place : places_) paths.push_back(place.path);
  return paths;
}

Registry::Registry(SearchPaths paths, const Registry *before)
    : impl_(std::make_unique<Impl>(std::move(paths), before ? before->impl_.get() : nullptr)) {}
Registry::~Registry() = default;
std::shared_ptr<const Driver> Registry::find(const std::string &name) { return impl_->find(name); }
std::vector<std::shared_ptr<const Driver>> Registry::all() { return impl_->all(); }
std::vector<RejectedPlugin> Registry::rejected() const { return impl_->rejected(); }
std::vector<std::string> Registry::searched() const { return impl_->searched(); }
std::vector<PluginInfo> Registry::plugins() { return impl_->plugins(); }
std::vector<std::string> Registry::files() const { return impl_->files(); }
std::string Registry::lock() const { return impl_->lock(); }

} // namespace omnistore::loader
