// SPDX-License-Identifier: Apache-2.0
#include "lock.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <tuple>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.hpp"
#include "base/encoding.hpp"
#include "plugin_file.hpp"
#include "vet.hpp"

namespace omnistore::loader {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t longest_lock = 16 << 20;
constexpr std::int64_t lock_format = 1;
constexpr const char *advice_to_lock = "write it with `omnistore plugins lock`";

std::string file_name_of(const std::string &path) { return fs::path(path).filename().string(); }

std::string read_text(const std::string &lock) {
  const base::Descriptor file(::open(lock.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!file || ::fstat(file.number(), &info) != 0) throw Unfit("it cannot be read: " + cause(errno), advice_to_lock);
  if (!S_ISREG(info.st_mode)) throw Unfit("it is no file", advice_to_lock);
  std::string text;
  char piece[16 * 1024];
  for (ssize_t got; (got = ::read(file.number(), piece, sizeof piece)) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Unfit("it cannot be read: " + cause(errno));
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > longest_lock) throw Unfit("it is too large", advice_to_lock);
  }
  return text;
}

std::string text_in(const json::object &object, const char *name) {
  const json::value *value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool is_digest(const std::string &text) {
  constexpr std::string_view before = "sha256:";
  return text.starts_with(before) && text.size() == before.size() + 64 &&
         base::is_lower_hex(std::string_view(text).substr(before.size()));
}

LockedPlugin to_plugin(const json::value &value, std::size_t number) {
  const json::object *object = value.if_object();
  LockedPlugin plugin;
  if (object)
    plugin = {text_in(*object, "file"),
              text_in(*object, "path"),
              text_in(*object, "sha256"),
              text_in(*object, "name"),
              text_in(*object, "version"),
              text_in(*object, "abi"),
              {}};
  if (plugin.file.empty() || file_name_of(plugin.file) != plugin.file || !is_digest(plugin.sha256))
    throw Unfit("its plugin number " + std::to_string(number + 1) +
                    " has no \"file\" that is a file's name, or no \"sha256\"",
                advice_to_lock);
  if (const json::value *drivers = object->if_contains("drivers"); drivers && drivers->is_object())
    for (const auto &[name, version] : drivers->get_object())
      if (version.is_string()) plugin.drivers.emplace(std::string(name), std::string(version.get_string()));
  return plugin;
}

/// One plugin a block, so that a difference of two locks is easy to read.
std::string to_text(const std::vector<LockedPlugin> &plugins) {
  std::string text = "{\n  \"omnistoreLock\": " + std::to_string(lock_format) + ",\n  \"plugins\": [";
  for (const LockedPlugin &plugin : plugins) {
    text += &plugin == plugins.data() ? "\n    {\n" : ",\n    {\n";
    for (const auto &[name, value] :
         {std::pair("file", &plugin.file), std::pair("path", &plugin.path), std::pair("sha256", &plugin.sha256),
          std::pair("name", &plugin.name), std::pair("version", &plugin.version), std::pair("abi", &plugin.abi)})
      text += "      \"" + std::string(name) + "\": " + json::serialize(json::string(*value)) + ",\n";
    json::object drivers;
    for (const auto &[name, version] : plugin.drivers) drivers[name] = version;
    text += "      \"drivers\": " + json::serialize(drivers) + "\n    }";
  }
  return text + (plugins.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

[[noreturn]] void fail_to_write(const std::string &lock, int error) {
  throw Error(error == EACCES || error == EPERM ? Status::denied : Status::io,
              "lock file " + lock + ": it cannot be written: " + cause(error));
}

auto order_of(const LockedPlugin &plugin) { return std::tie(plugin.file, plugin.sha256, plugin.path); }

} // namespace

std::vector<LockedPlugin> read_lock(const std::string &lock) {
  if (struct stat info; ::stat(lock.c_str(), &info) != 0)
    throw Unfit("it cannot be read: " + cause(errno), advice_to_lock);
  vet_permissions(lock, ::geteuid());
  json::error_code broken;
  const json::value value = json::parse(read_text(lock), broken);
  const json::object *object = broken ? nullptr : value.if_object();
  const json::value *stated = object ? object->if_contains("omnistoreLock") : nullptr;
  const json::value *plugins = object ? object->if_contains("plugins") : nullptr;
  if (!stated || !plugins || !plugins->is_array()) throw Unfit("it is no lock file of plugins", advice_to_lock);
  if (!stated->is_int64() || stated->get_int64() != lock_format)
    throw Unfit("it is of another version than this host's, " + std::to_string(lock_format), advice_to_lock);
  std::vector<LockedPlugin> all;
  for (const json::value &plugin : plugins->get_array()) all.push_back(to_plugin(plugin, all.size()));
  return all;
}

void write_lock(const std::string &lock, std::vector<LockedPlugin> plugins) {
  std::sort(plugins.begin(), plugins.end(), [](const auto &a, const auto &b) { return order_of(a) < order_of(b); });
  const auto same = [](const auto &a, const auto &b) { return a.file == b.file && a.sha256 == b.sha256; };
  plugins.erase(std::unique(plugins.begin(), plugins.end(), same), plugins.end());
  const std::string text = to_text(plugins);

  std::string temporary = lock + ".XXXXXX";
  const base::Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) fail_to_write(lock, errno);
  const ssize_t put = ::write(file.number(), text.data(), text.size());
  if (put < 0 || ::fchmod(file.number(), 0644) != 0 || ::fsync(file.number()) != 0 ||
      static_cast<std::size_t>(put) != text.size() || ::rename(temporary.c_str(), lock.c_str()) != 0) {
    const int error = put >= 0 && static_cast<std::size_t>(put) != text.size() ? ENOSPC : errno;
    ::unlink(temporary.c_str());
    fail_to_write(lock, error);
  }
}

void vet_lock(const std::string &lock, const std::vector<LockedPlugin> &plugins, const std::string &path,
              const std::string &sha256) {
  const std::string name = file_name_of(path);
  std::string locked;
  for (const LockedPlugin &plugin : plugins) {
    if (plugin.file != name) continue;
    if (plugin.sha256 == sha256) return;
    locked += (locked.empty() ? "" : " or ") + plugin.sha256;
  }
  const std::string advice =
      "check where the file comes from; to trust it, run `omnistore plugins lock --lock " + lock + "`";
  if (locked.empty()) throw Unfit("it is not in the lock file " + lock, advice);
  throw Unfit("it differs from the lock file " + lock + ": it is locked as " + locked + ", and is " + sha256, advice);
}

std::vector<FoundPlugin> found_plugins(const std::vector<std::string> &files) {
  std::vector<FoundPlugin> found;
  for (const std::string &file : files) {
    std::string digest;
    try {
      digest = sha256(read_plugin(file).bytes);
    } catch (const Unfit &) { // it has no bytes
    }
    found.push_back({file, std::move(digest)});
  }
  return found;
}

std::vector<LockDifference> differences(const std::vector<LockedPlugin> &lock, const std::vector<FoundPlugin> &found) {
  using Kind = LockDifference::Kind;
  std::vector<LockDifference> all;
  std::set<std::string> changed;
  for (const FoundPlugin &file : found) {
    const std::string name = file_name_of(file.path);
    const LockedPlugin *same_name = nullptr;
    bool same = false;
    for (const LockedPlugin &plugin : lock) {
      if (plugin.file != name) continue;
      same_name = &plugin;
      same = same || plugin.sha256 == file.sha256;
    }
    if (same) continue;
    if (same_name) changed.insert(name);
    all.push_back(
        {same_name ? Kind::changed : Kind::added, name, file.path, same_name ? same_name->sha256 : "", file.sha256});
  }
  for (const LockedPlugin &plugin : lock) {
    const auto is_it = [&](const FoundPlugin &file) {
      return file_name_of(file.path) == plugin.file && file.sha256 == plugin.sha256;
    };
    if (changed.contains(plugin.file) || std::any_of(found.begin(), found.end(), is_it)) continue;
    all.push_back({Kind::missing, plugin.file, plugin.path, plugin.sha256, {}});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return a.file < b.file; });
  return all;
}

const char *difference_name(LockDifference::Kind kind) {
  constexpr const char *names[] = {"added", "missing", "changed"};
  return names[static_cast<int>(kind)];
}

} // namespace omnistore::loader
