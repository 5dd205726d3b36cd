// SPDX-License-Identifier: Apache-2.0
// The plugin file and its tables, before a store is opened.
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.hpp"
#include "census.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  for (const char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  return true;
}

omnistore_entry entry_of(const std::string &file) {
  void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(library, "it does not load");
  return reinterpret_cast<omnistore_entry>(dlsym(library, OMNISTORE_ENTRY));
}

void entry_is_pure(Bench &bench) {
  const omnistore_entry entry = entry_of(bench.file());
  const omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
  const Census before = Census::take();
  for (int i = 0; i < 3; ++i)
    require(entry(&abi) == &bench.plugin(), "it returned another table when it was called again");
  before.compare("omnistore_plugin_entry");
}

void entry_takes_other_hosts(Bench &bench) {
  const omnistore_entry entry = entry_of(bench.file());
  const omnistore_abi later{sizeof later, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR + 7};
  require(entry(&later), "it returned null to a host of a later minor, ABI " + std::to_string(later.major) + "." +
                             std::to_string(later.minor));
  const omnistore_abi other{sizeof other, OMNISTORE_ABI_MAJOR + 8, OMNISTORE_ABI_MAJOR + 9, 0};
  if (const omnistore_plugin *plugin = entry(&other))
    require(plugin->abi_major == OMNISTORE_ABI_MAJOR,
            "to a host of other majors it says that it was built for major " + std::to_string(plugin->abi_major));
}

void table_is_sound(Bench &bench) {
  const omnistore_plugin &plugin = bench.plugin();
  require(plugin.size >= offsetof(omnistore_plugin, drivers) + sizeof plugin.drivers,
          "omnistore_plugin.size is " + std::to_string(plugin.size));
  require(!(plugin.flags & ~OMNISTORE_PLUGIN_UNLOADS), "omnistore_plugin.flags has unknown bits");
  require(plugin.reserved == 0 && bench.driver().reserved == 0, "a reserved field is not 0");
}

void driver_is_whole(Bench &bench) {
  const omnistore_driver &driver = bench.driver();
  require(driver.size >= offsetof(omnistore_driver, clear),
          "omnistore_driver.size is " + std::to_string(driver.size) + ", which ends before `list`");
  const auto has = [](auto function, const char *name) {
    require(function, std::string("the required function ") + name + " is null");
  };
  has(driver.open, "open");
  has(driver.close, "close");
  has(driver.get, "get");
  has(driver.stat, "stat");
  has(driver.set, "set");
  has(driver.remove, "remove");
  has(driver.list, "list");
}

void names_are_right(Bench &bench) {
  const omnistore_driver &driver = bench.driver();
  require(is_name(driver.name), "the name " + shown(driver.name) + " is not of the form [a-z][a-z0-9-]*");
  require(driver.version && *driver.version, "it has no version");
  require(driver.summary && *driver.summary, "it has no summary");
  const std::string_view summary(driver.summary);
  require(summary.find('\n') == summary.npos, "the summary has more than one line");
  require(!summary.ends_with('.'), "the summary ends in a full stop: " + shown(summary));
}

void schema_is_one(Bench &bench) {
  if (!bench.driver().options_schema) throw Skipped("it takes no options");
  if (!bench.subject().check_schema) throw Skipped("nothing here reads schemas");
  const std::string wrong = bench.subject().check_schema(bench.driver().options_schema);
  require(wrong.empty(), "the options' schema: " + wrong);
}

void traits_are_stated(Bench &bench) {
  const omnistore_traits *traits = bench.driver().traits;
  require(traits, "traits is null");
  require(traits->size >= offsetof(omnistore_traits, max_key_size),
          "omnistore_traits.size is " + std::to_string(traits->size));
  require(traits->thread_model >= OMNISTORE_SERIALIZED,
          "thread_model is " + std::to_string(traits->thread_model) + ": OMNISTORE_SERIALIZED or OMNISTORE_PARALLEL");
  require(traits->reserved == 0, "traits.reserved is not 0");
}

void claims_fit(Bench &bench) {
  const omnistore_driver &driver = bench.driver();
  const std::uint64_t can = bench.store().traits().capabilities;
  const auto needs = [&](std::uint64_t bit, bool holds, const char *text) { require(!(can & bit) || holds, text); };
  needs(OMNISTORE_CAN_META, driver.touch, "it claims OMNISTORE_CAN_META, and has no touch");
  needs(OMNISTORE_CAN_IF_MATCH, can & OMNISTORE_CAN_ETAG,
        "it claims OMNISTORE_CAN_IF_MATCH without OMNISTORE_CAN_ETAG");
  needs(OMNISTORE_WATCHES_OWN, driver.watch, "it claims OMNISTORE_WATCHES_OWN, and has no watch");
  needs(OMNISTORE_CAN_LIST_REVERSE, bench.store().traits().order >= OMNISTORE_ORDER_KEYS,
        "it claims OMNISTORE_CAN_LIST_REVERSE without OMNISTORE_ORDER_KEYS");
  needs(OMNISTORE_CAN_LIST_FOLDERS, can & OMNISTORE_CAN_DEPTH,
        "it claims OMNISTORE_CAN_LIST_FOLDERS without OMNISTORE_CAN_DEPTH");
  require(!driver.watch == !driver.unwatch, "of watch and unwatch it has only one");
  require(driver.min_children <= driver.max_children, "min_children is over max_children");
  if (can & OMNISTORE_READS_ONLY)
    require(!(can & (OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH)),
            "it takes no writes, and claims conditions of writes");
}

/// Reads the symbols that a shared library exports from its dynamic symbol table.
std::vector<std::string> exports_of(const std::string &file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat found {};
  if (fd < 0 || fstat(fd, &found) != 0) throw Skipped("the file cannot be read");
  const auto size = static_cast<std::size_t>(found.st_size);
  void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) throw Skipped("the file cannot be read");
  const std::string_view image(static_cast<const char *>(mapped), size);
  std::vector<std::string> names;
  const auto at = [&]<class T>(std::uint64_t offset, const T *) -> const T & {
    if (offset + sizeof(T) > size) throw Skipped("the file's section headers are cut off");
    return *reinterpret_cast<const T *>(image.data() + offset);
  };
  const auto &header = at(0, static_cast<const Elf64_Ehdr *>(nullptr));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    throw Skipped("it is no 64-bit ELF file");
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto &section = at(header.e_shoff + i * sizeof(Elf64_Shdr), static_cast<const Elf64_Shdr *>(nullptr));
    if (section.sh_type != SHT_DYNSYM) continue;
    const auto &strings =
        at(header.e_shoff + section.sh_link * sizeof(Elf64_Shdr), static_cast<const Elf64_Shdr *>(nullptr));
    for (std::uint64_t j = 0; j < section.sh_size / sizeof(Elf64_Sym); ++j) {
      const auto &symbol = at(section.sh_offset + j * sizeof(Elf64_Sym), static_cast<const Elf64_Sym *>(nullptr));
      const unsigned binding = ELF64_ST_BIND(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || binding == STB_LOCAL) continue;
      const std::uint64_t name = strings.sh_offset + symbol.st_name;
      if (name >= size) continue;
      names.emplace_back(image.data() + name, strnlen(image.data() + name, size - name));
    }
  }
  munmap(mapped, size);
  return names;
}

void exports_one(Bench &bench) {
  for (const std::string &name : exports_of(bench.file())) {
    if (name == OMNISTORE_ENTRY || name == "_init" || name == "_fini" || name.starts_with("__asan") ||
        name.starts_with("__odr_asan") || name.starts_with("__tsan") || name.starts_with("__ubsan"))
      continue;
    throw Broken("it exports " + shown(name) + " as well, which may meet another plugin's");
  }
}

void extensions_are_named(Bench &bench) {
  if (!bench.driver().extension) throw Skipped("it has no extensions");
  require(!bench.store().extension("kit.unknown/1"),
          "it has a table for the extension kit.unknown/1, which nobody defined");
  require(!bench.driver().extension(nullptr, "kit.unknown/1"),
          "with a null self it has a table for the extension kit.unknown/1, which nobody defined");
  require(!bench.store().extension(""), "it has a table for an extension without a name");
}

} // namespace

std::span<const Rule> plugin_rules() {
  static constexpr Rule rules[] = {
      {"entry-pure", "No input or output, no threads, no allocation.", for_readers, entry_is_pure},
      {"entry-other-hosts", "any minor of a plugin loads in any minor of a host", for_readers, entry_takes_other_hosts},
      {"exports-one-symbol", "It exports one function, omnistore_plugin_entry", for_readers, exports_one},
      {"table-sound", "The side that fills a struct in sets `size` to sizeof(the struct) as it was compiled.",
       for_readers, table_is_sound},
      {"table-whole", "The first group of functions is required.", for_readers, driver_is_whole},
      {"names", "[a-z][a-z0-9-]*, at most 64 bytes", for_readers, names_are_right},
      {"schema", "a JSON Schema (an object's) of the options", for_readers, schema_is_one},
      {"traits-stated", "OMNISTORE_SERIALIZED or OMNISTORE_PARALLEL: must be stated", for_readers, traits_are_stated},
      {"claims-fit", "keeps the user's own meta with the value, and has touch", for_readers, claims_fit},
      {"extensions-named", "Returns the table of the named extension, or null.", for_readers, extensions_are_named},
  };
  return rules;
}

} // namespace omnistore::kit
