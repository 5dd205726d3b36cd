// SPDX-License-Identifier: Apache-2.0
#include "inspect.hpp"

#include <unistd.h>

#include "elf.hpp"
#include "negotiate.hpp"
#include "plugin_file.hpp"
#include "probe.hpp"
#include "vet.hpp"

namespace omnistore::loader {

Inspected inspect(const std::string &file) {
  vet_permissions(file, ::geteuid());
  PluginFile plugin = read_plugin(file);
  ElfFacts facts = vet_elf(plugin.bytes, OMNISTORE_ENTRY);
  std::string digest = sha256(plugin.bytes);
  place(plugin, facts);
  probe(plugin, plugin.copy.path);
  Offers offers = negotiate(file, open_plugin(plugin));
  return {file, std::move(digest), std::move(facts.needed), std::move(offers)};
}

} // namespace omnistore::loader
