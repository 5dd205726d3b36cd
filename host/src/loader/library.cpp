// SPDX-License-Identifier: Apache-2.0
#include "library.hpp"

#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <string>

#include <boost/dll/shared_library.hpp>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "base/in_flight.hpp"
#include "plugin_error.hpp"
#include "vet.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OMNISTORE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OMNISTORE_SANITIZED 1
#endif

namespace omnistore::loader {

const omnistore_abi host_abi = {sizeof(omnistore_abi), OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};

namespace {

#ifdef OMNISTORE_SANITIZED
constexpr bool may_unload = false; // sanitizers cannot name the frames of an unloaded library
#else
constexpr bool may_unload = true;
#endif

/// A loaded library. It stays loaded until the process ends, unless the plugin may be unloaded.
class Library {
public:
  /// `sha256` is that of the file's bytes, if there is no copy from which to compute it later.
  Library(boost::dll::shared_library handle, CopyLock lock, std::string digest)
      : lock_(std::move(lock)), handle_(std::move(handle)), sha256_(std::move(digest)) {}
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;
  ~Library() {
    if (!goes_) keep();
  }
  void let_go() { goes_ = may_unload; }
  const boost::dll::shared_library &handle() const { return handle_; }
  /// Thread-safe. The first call reads the copy.
  std::string sha256() const {
    std::call_once(hashed_, [&] {
      if (struct stat info; lock_ && ::fstat(lock_.file().number(), &info) == 0)
        sha256_ = loader::sha256(Bytes(lock_.file(), static_cast<std::size_t>(info.st_size)));
    });
    return sha256_;
  }

private:
  struct Kept {
    CopyLock lock;
    boost::dll::shared_library handle;
  };
  struct AllKept {
    std::mutex mutex;
    std::map<void *, Kept> libraries;
  };
  static AllKept &kept() {
    static auto *all = new AllKept; // never destroyed: plugins outlive every static object
    return *all;
  }
  /// Removes the copies at the end of the process; mappings stay.
  static void give_up_copies() {
    const std::lock_guard guard(kept().mutex);
    for (auto &[key, library] : kept().libraries) CopyLock(std::move(library.lock));
  }
  void keep() {
    static const int at_exit = std::atexit(give_up_copies);
    static_cast<void>(at_exit);
    const std::lock_guard guard(kept().mutex);
    void *const key = handle_.native();
    kept().libraries.try_emplace(key, Kept{std::move(lock_), std::move(handle_)});
  }

  CopyLock lock_; // released after the handle
  boost::dll::shared_library handle_;
  bool goes_ = false;
  mutable std::once_flag hashed_;
  mutable std::string sha256_;
};

std::string version(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string host_version() {
  const std::string newest = version(host_abi.major, host_abi.minor);
  return host_abi.oldest_major == host_abi.major ? newest : version(host_abi.oldest_major, 0) + " to " + newest;
}

/// Returns the linker's message without Boost's text around it, and with the plugin's name instead of its copy's.
std::string linker_text(std::string text, const std::string &loaded, const std::string &file) {
  constexpr std::string_view before = "(dlerror system message: ";
  if (const auto start = text.find(before); start != std::string::npos) {
    text.erase(0, start + before.size());
    if (const auto end = text.rfind(')'); end != std::string::npos) text.erase(end);
  }
  for (auto at = text.find(loaded); at != std::string::npos; at = text.find(loaded, at + file.size()))
    text.replace(at, loaded.size(), file);
  return text;
}

std::string linker_advice(const std::string &text) {
  if (text.find("undefined symbol") != std::string::npos)
    return "link it with the library that has the symbol (-Wl,-z,defs shows what is missing when it is linked)";
  if (text.find("cannot open shared object file") != std::string::npos) return "install the library that it needs";
  if (text.find("version `") != std::string::npos) return "build it on this system, or on an older one";
  return {};
}

std::shared_ptr<Library> load(PluginFile &file) {
  Copy copy = std::move(file.copy);
  try {
    using boost::dll::load_mode::rtld_local;
    using boost::dll::load_mode::rtld_now;
    std::string digest = copy.lock ? std::string() : sha256(file.bytes);
    return std::make_shared<Library>(boost::dll::shared_library(copy.path, rtld_now | rtld_local), std::move(copy.lock),
                                     std::move(digest));
  } catch (const boost::dll::fs::system_error &error) {
    const std::string text = linker_text(error.what(), copy.path, file.path);
    throw PluginError("the linker cannot load it: " + text, linker_advice(text));
  }
}

const omnistore_plugin *call_entry(const Library &library) {
  auto &entry = library.handle().get<const omnistore_plugin * OMNISTORE_CALL(const omnistore_abi *)>(OMNISTORE_ENTRY);
  const omnistore_plugin *plugin = nullptr;
  try {
    plugin = entry(&host_abi);
  } catch (const std::exception &error) {
    throw PluginError(std::string("its entry threw an exception: ") + error.what(), "this is a defect of the plugin");
  } catch (...) {
    throw PluginError("its entry threw an exception", "this is a defect of the plugin");
  }
  if (!plugin)
    throw PluginError("its entry returned no table: it serves no ABI that this host speaks (" + host_version() + ")",
                      "build it against this host's SDK");
  return plugin;
}

/// Every major has the first three fields.
void check_abi(const omnistore_plugin &plugin) {
  if (plugin.abi_major >= host_abi.oldest_major && plugin.abi_major <= host_abi.major) return;
  throw PluginError("it was built for ABI " + version(plugin.abi_major, plugin.abi_minor) + "; this host speaks " +
                        host_version(),
                    plugin.abi_major > host_abi.major ? "update the host, or build the plugin against this host's SDK"
                                                      : "build it against this host's SDK");
}

} // namespace

void place(PluginFile &file, const ElfFacts &facts) {
  if (file.copy.lock && !facts.by_origin) return;
  file.copy = {file.path, {}};
  if (facts.by_origin) return; // a copy would look for the libraries in its own folder, which does not have them
  try {
    file.copy = copy_of(file);
  } catch (const std::runtime_error &error) {
    spdlog::warn("plugin {}: loaded in place, do not overwrite it while the host runs; no private copy could "
                 "be made of it: {}",
                 file.path, error.what());
  }
}

LoadedPlugin open_plugin(PluginFile &file) {
  static std::mutex mutex;
  const std::lock_guard guard(mutex);
  const base::CallLabel label(file.path.c_str(), "", "");
  std::shared_ptr<Library> library;
  const omnistore_plugin *plugin = nullptr;
  {
    const base::InFlight in_flight(label, "loading");
    library = load(file);
  }
  {
    const base::InFlight in_flight(label, OMNISTORE_ENTRY);
    plugin = call_entry(*library);
  }
  check_abi(*plugin);
  if (OMNISTORE_HAS(omnistore_plugin, plugin, flags) && (plugin->flags & OMNISTORE_PLUGIN_UNLOADS) != 0)
    library->let_go();
  return {plugin, library, [library] { return library->sha256(); }};
}

} // namespace omnistore::loader
