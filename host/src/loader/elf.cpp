// SPDX-License-Identifier: Apache-2.0
// This file reads the symbols itself, because boost::dll::library_info trusts the sizes in the file (a damaged one
// makes it allocate as much memory as the file says) and prefers .symtab, which the linker does not use.
#include "elf.hpp"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <elf.h>
#include <link.h>

#include "plugin_error.hpp"

namespace omnistore::loader {
namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);
using Section = ElfW(Shdr);
using Symbol = ElfW(Sym);
using Dynamic = ElfW(Dyn);

#if defined(__x86_64__)
constexpr std::uint16_t this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t this_machine = EM_AARCH64;
#elif defined(__i386__)
constexpr std::uint16_t this_machine = EM_386;
#elif defined(__arm__)
constexpr std::uint16_t this_machine = EM_ARM;
#elif defined(__riscv)
constexpr std::uint16_t this_machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr std::uint16_t this_machine = EM_PPC64;
#elif defined(__s390x__)
constexpr std::uint16_t this_machine = EM_S390;
#else
#error "name this machine's e_machine value here"
#endif

constexpr unsigned char this_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr unsigned char this_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

struct Named {
  std::uint16_t machine;
  const char *name;
};
constexpr Named machines[] = {{EM_X86_64, "x86-64"}, {EM_AARCH64, "aarch64"}, {EM_386, "i386"},  {EM_ARM, "arm"},
                              {EM_RISCV, "riscv"},   {EM_PPC64, "ppc64"},     {EM_S390, "s390x"}};

std::string machine_name(std::uint16_t machine, unsigned char bits) {
  std::string name = "machine " + std::to_string(machine);
  for (const Named &known : machines)
    if (known.machine == machine) name = known.name;
  return name + (bits == ELFCLASS64 ? ", 64 bits" : ", 32 bits");
}

struct Kind {
  std::string_view magic;
  const char *what;
};
constexpr Kind kinds[] = {{"#!", "a script"},
                          {"MZ", "a Windows program or library"},
                          {"!<arch>\n", "a static library"},
                          {"\xcf\xfa\xed\xfe", "a macOS program or library"},
                          {"\xca\xfe\xba\xbe", "a macOS program or library"},
                          {"/* GNU ld script", "a linker script"},
                          {"version https://git-lfs", "a Git LFS pointer whose file was not fetched"},
                          {"\x1f\x8b", "a gzip file"},
                          {"PK\x03\x04", "a zip file"}};

[[noreturn]] void refuse_stranger(std::string_view bytes) {
  for (const Kind &kind : kinds)
    if (bytes.starts_with(kind.magic)) throw PluginError(std::string("it is not a shared library but ") + kind.what);
  throw PluginError("it is not a shared library: it does not start like an ELF file");
}

[[noreturn]] void refuse_damaged(std::string_view what) {
  throw PluginError("it is damaged: " + std::string(what), "build or copy it again");
}

[[noreturn]] void refuse_truncated(std::string_view bytes, std::uint64_t needed) {
  throw PluginError("it is truncated: it has " + std::to_string(bytes.size()) + " bytes of at least " +
                        std::to_string(needed),
                    "build or copy it again");
}

/// Returns the `count` entries of a table at `offset`. They are copied, since the file may not align them.
template <class T>
T entry_at(std::string_view bytes, std::uint64_t offset, std::uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + offset + index * sizeof(T), sizeof(T));
  return value;
}

/// Throws if a range reaches beyond the file.
void need(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset)
    refuse_truncated(bytes, size > UINT64_MAX - offset ? UINT64_MAX : offset + size);
}

std::string_view name_in(std::string_view strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  strings.remove_prefix(offset);
  return strings.substr(0, strings.find('\0'));
}

Header vet_header(std::string_view bytes) {
  constexpr std::string_view magic = "\x7f"
                                     "ELF";
  if (!bytes.starts_with(magic)) {
    if (magic.starts_with(bytes)) refuse_truncated(bytes, sizeof(Header));
    refuse_stranger(bytes);
  }
  need(bytes, 0, sizeof(Header));
  const auto header = entry_at<Header>(bytes, 0, 0);
  if (header.e_ident[EI_DATA] != this_order)
    throw PluginError("it was built for a machine with the other byte order", "build it for this machine");
  if (header.e_machine != this_machine || header.e_ident[EI_CLASS] != this_class)
    throw PluginError("it was built for another architecture (" +
                          machine_name(header.e_machine, header.e_ident[EI_CLASS]) + "); this host runs on " +
                          machine_name(this_machine, this_class),
                      "build it for this machine");
  if (header.e_type == ET_EXEC) throw PluginError("it is a program, not a shared library");
  if (header.e_type == ET_REL) throw PluginError("it is an object file, not a shared library", "link it with -shared");
  if (header.e_type != ET_DYN) throw PluginError("it is an ELF file, but not a shared library");
  return header;
}

void vet_segments(std::string_view bytes, const Header &header) {
  if (header.e_phentsize != sizeof(Segment)) refuse_damaged("its program headers have a wrong size");
  need(bytes, header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Segment));
  bool loads = false;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = entry_at<Segment>(bytes, header.e_phoff, i);
    need(bytes, segment.p_offset, segment.p_filesz);
    loads = loads || segment.p_type == PT_LOAD;
  }
  if (!loads) refuse_damaged("it has nothing to load");
}

/// Reads the sections, and checks the names and links that are used here.
class Sections {
public:
  Sections(std::string_view bytes, const Header &header) : bytes_(bytes), header_(header) {
    if (header.e_shnum == 0)
      throw PluginError("its section headers are stripped, so that its exports are unknown before it runs",
                        "link it without --strip-section-headers");
    if (header.e_shentsize != sizeof(Section)) refuse_damaged("its section headers have a wrong size");
    need(bytes, header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Section));
  }

  std::uint64_t count() const { return header_.e_shnum; }
  Section at(std::uint64_t index) const {
    if (index >= count()) refuse_damaged("a section links to one that is not there");
    return entry_at<Section>(bytes_, header_.e_shoff, index);
  }
  std::string_view content(const Section &section) const {
    need(bytes_, section.sh_offset, section.sh_size);
    return bytes_.substr(section.sh_offset, section.sh_size);
  }

private:
  std::string_view bytes_;
  Header header_;
};

bool is_export(const Symbol &symbol) {
  const auto binding = symbol.st_info >> 4;
  const auto visibility = symbol.st_other & 3;
  return symbol.st_shndx != SHN_UNDEF && binding != STB_LOCAL &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

bool exports(const Sections &sections, const Section &section, std::string_view entry) {
  const std::string_view table = sections.content(section);
  const std::string_view names = sections.content(sections.at(section.sh_link));
  for (std::uint64_t i = 0; i < table.size() / sizeof(Symbol); ++i) {
    const auto symbol = entry_at<Symbol>(table, 0, i);
    if (is_export(symbol) && name_in(names, symbol.st_name) == entry) return true;
  }
  return false;
}

void read_dynamic(const Sections &sections, const Section &section, ElfFacts &facts) {
  const std::string_view table = sections.content(section);
  const std::string_view names = sections.content(sections.at(section.sh_link));
  for (std::uint64_t i = 0; i < table.size() / sizeof(Dynamic); ++i) {
    const auto item = entry_at<Dynamic>(table, 0, i);
    if (item.d_tag == DT_FLAGS_1 && (item.d_un.d_val & DF_1_PIE) != 0)
      throw PluginError("it is a program, not a shared library");
    if (item.d_tag == DT_NEEDED) facts.needed.emplace_back(name_in(names, item.d_un.d_val));
    if (item.d_tag == DT_RPATH || item.d_tag == DT_RUNPATH)
      facts.by_origin = facts.by_origin || name_in(names, item.d_un.d_val).find("ORIGIN") != std::string_view::npos;
  }
}

} // namespace

ElfFacts vet_elf(std::string_view bytes, std::string_view entry) {
  const Header header = vet_header(bytes);
  vet_segments(bytes, header);
  const Sections sections(bytes, header);
  ElfFacts facts;
  bool found = false;
  for (std::uint64_t i = 0; i < sections.count(); ++i) {
    const Section section = sections.at(i);
    if (section.sh_type == SHT_DYNAMIC) read_dynamic(sections, section, facts);
    if (section.sh_type == SHT_DYNSYM) found = found || exports(sections, section, entry);
  }
  if (!found)
    throw PluginError(
        "it is a shared library, but not a plugin: it does not export " + std::string(entry),
        "if it should be one, add to its source OMNISTORE_PLUGIN(...), and see that the symbol is not hidden");
  return facts;
}

} // namespace omnistore::loader
