// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include <dlfcn.h>

#include <omnistore/error.hpp>

#include "loader/search.hpp"
#include "tls/tls.hpp"

namespace omnistore::tls {

namespace {

constexpr const char *file_name = "omnistore-tls.so";

const Module &load() {
  const std::string file = loader::helper_file(file_name);
  if (file.empty())
    throw Error(Status::unavailable, std::string("TLS needs the file libexec/omnistore/") + file_name +
                                         " beside the program's folder; install Omnistore again");
  // It is never unloaded. RTLD_NOW, so that a missing library is found now.
  void *const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Error(Status::unavailable, std::string("TLS cannot be loaded: ") + ::dlerror());
  const auto entry = reinterpret_cast<const Module *(*)()>(::dlsym(library, "omnistore_tls_module"));
  const Module *const found = entry ? entry() : nullptr;
  if (!found || std::string_view(found->version) != OMNISTORE_VERSION) {
    ::dlclose(library);
    throw Error(Status::unavailable, "TLS cannot be loaded: " + file + " is of another version than this program (" +
                                         OMNISTORE_VERSION + "); restart the host");
  }
  return *found;
}

} // namespace

const Module &module() {
  static const Module &loaded = load(); // after a failure the next call tries again
  return loaded;
}

} // namespace omnistore::tls
