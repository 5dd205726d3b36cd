// SPDX-License-Identifier: Apache-2.0
// Files that are no plugin for this host: each is refused before any code of it runs.
#include <cstring>
#include <system_error>

#include <elf.h>
#include <sys/stat.h>

#include "loader/elf.hpp"
#include "loader/plugin_error.hpp"
#include "loader/vet.hpp"
#include "support.hpp"

using namespace test;
using omnistore::loader::PluginError;
using omnistore::loader::vet_elf;

namespace {

RejectedPlugin refused_bytes(std::string_view bytes) {
  const Folder folder;
  write_file(folder / "sample.so", bytes);
  return refused(folder / "sample.so");
}

/// A good plugin with one field of its header changed.
template <class T>
std::string patched(std::size_t offset, T value) {
  std::string bytes = read_file(built("good"));
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

} // namespace

TEST_CASE("a text file is not a shared library") {
  CHECK(contains(refused_bytes("hello\n").reason, "not a shared library"));
}

TEST_CASE("a script is called a script") { CHECK(contains(refused_bytes("#!/bin/sh\nexit 0\n").reason, "a script")); }

TEST_CASE("a file that Git LFS has not fetched is called so") {
  CHECK(contains(refused_bytes("version https://git-lfs.github.com/spec/v1\n").reason, "Git LFS pointer"));
}

TEST_CASE("a program is not a shared library") {
  CHECK(contains(refused("/proc/self/exe").reason, "it is a program, not a shared library"));
  CHECK(contains(refused_bytes(patched<Elf64_Half>(offsetof(Elf64_Ehdr, e_type), ET_EXEC)).reason, "it is a program"));
}

TEST_CASE("an object file is not a shared library") {
  CHECK(contains(refused_bytes(patched<Elf64_Half>(offsetof(Elf64_Ehdr, e_type), ET_REL)).reason, "object file"));
}

TEST_CASE("a library of another architecture is refused with both names") {
  const RejectedPlugin reject = refused_bytes(patched<Elf64_Half>(offsetof(Elf64_Ehdr, e_machine), EM_SPARCV9));
  CHECK(contains(reject.reason, "another architecture (machine 43, 64 bits)"));
  CHECK(reject.advice == "build it for this machine");
#if defined(__x86_64__)
  const RejectedPlugin arm = refused_bytes(patched<Elf64_Half>(offsetof(Elf64_Ehdr, e_machine), EM_AARCH64));
  CHECK(contains(arm.reason, "another architecture (aarch64, 64 bits); this host runs on x86-64, 64 bits"));
#endif
}

TEST_CASE("a library of another word size or byte order is refused") {
  CHECK(contains(refused_bytes(patched<unsigned char>(EI_CLASS, ELFCLASS32)).reason, "32 bits"));
  const unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2MSB : ELFDATA2LSB;
  CHECK(contains(refused_bytes(patched<unsigned char>(EI_DATA, order)).reason, "other byte order"));
}

TEST_CASE("an empty file is refused as empty") {
  const RejectedPlugin reject = refused_bytes("");
  CHECK(reject.reason == "it is empty");
  CHECK(reject.advice == "build or copy it again");
}

TEST_CASE("a truncated library is refused as truncated, with both sizes") {
  const std::string whole = read_file(built("good"));
  const RejectedPlugin reject = refused_bytes(whole.substr(0, whole.size() / 2));
  CHECK(contains(reject.reason, "it is truncated: it has " + std::to_string(whole.size() / 2) + " bytes of at least"));
  CHECK(contains(refused_bytes(whole.substr(0, 3)).reason, "it is truncated: it has 3 bytes"));
}

TEST_CASE("a library truncated at any length is refused") {
  const std::string whole = read_file(built("good"));
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 64)
    CHECK_THROWS_AS(vet_elf(std::string_view(whole).substr(0, size), OMNISTORE_ENTRY), PluginError);
  CHECK_THROWS_AS(vet_elf(std::string_view(whole).substr(0, whole.size() - 1), OMNISTORE_ENTRY), PluginError);
  CHECK_NOTHROW(vet_elf(whole, OMNISTORE_ENTRY));
}

TEST_CASE("a library with any one byte of its headers damaged is judged without harm") {
  const std::string whole = read_file(built("good"));
  Elf64_Ehdr header;
  std::memcpy(&header, whole.data(), sizeof header);
  const auto damage = [&](std::size_t at) {
    for (const char mask : {'\x01', '\x80', '\xff'}) {
      // In a buffer of its very size, so that a sanitizer sees each byte that is read beyond it.
      const std::unique_ptr<char[]> bytes(new char[whole.size()]);
      std::memcpy(bytes.get(), whole.data(), whole.size());
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      try {
        vet_elf({bytes.get(), whole.size()}, OMNISTORE_ENTRY);
      } catch (const PluginError &) {
      }
    }
  };
  for (std::size_t at = 0; at < sizeof(Elf64_Ehdr) + header.e_phnum * sizeof(Elf64_Phdr); ++at) damage(at);
  for (std::size_t at = header.e_shoff; at < whole.size(); ++at) damage(at);
}

TEST_CASE("a shared library without the entry symbol is no plugin") {
  const RejectedPlugin reject = refused(built("no_plugin"));
  CHECK(contains(reject.reason, "not a plugin: it does not export omnistore_plugin_entry"));
  CHECK(contains(reject.advice, "OMNISTORE_PLUGIN"));
}

TEST_CASE("an entry symbol that is hidden does not count") {
  CHECK(contains(refused(built("hidden_entry")).reason, "does not export omnistore_plugin_entry"));
}

TEST_CASE("a library that wants the entry symbol of another has none itself") {
  CHECK(contains(refused(built("calls_entry")).reason, "does not export omnistore_plugin_entry"));
}

TEST_CASE("an undefined symbol is refused in the linker's own words, with the plugin's name in them") {
  const std::string file = built("undefined_symbol");
  const RejectedPlugin reject = refused(file);
  CHECK(contains(reject.reason, file + ": undefined symbol: a_symbol_that_no_library_has"));
  CHECK(contains(reject.advice, "-Wl,-z,defs"));
}

TEST_CASE("a dangling symbolic link is refused as such") {
  const Folder folder;
  std::filesystem::create_symlink(folder / "nothing", folder / "sample.so");
  CHECK(contains(refused(folder / "sample.so").reason, "a dangling symbolic link (No such file"));
}

TEST_CASE("a symbolic link to a plugin is good") {
  const Folder folder;
  std::filesystem::create_symlink(built("good"), folder / "sample.so");
  Registry registry({{folder.path()}, {}});
  CHECK(registry.find("sample")->file == folder / "sample.so");
}

TEST_CASE("a fifo with a plugin's name is refused, and not waited for") {
  const Folder folder;
  const std::string file = folder / "sample.so";
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(contains(refused(file).reason, "a fifo, a socket or a device"));
}

TEST_CASE("a folder with a plugin's name is refused") {
  const Folder folder;
  std::filesystem::create_directory(folder / "sample.so");
  Registry registry({{folder.path()}, {}});
  registry.all();
  CHECK(contains(reject_of(registry, folder / "sample.so").reason, "it is a folder, not a shared library"));
}

TEST_CASE("a pin that does not match is refused with both hashes") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  const std::string found = omnistore::loader::sha256(read_file(file));
  const std::string wanted = "sha256:" + std::string(64, '0');
  Registry registry({{folder.path()}, {{"sample", wanted}}});
  CHECK_THROWS_AS(registry.find("sample"), omnistore::Error);
  const RejectedPlugin reject = reject_of(registry, file);
  CHECK(contains(reject.reason, "pinned to " + wanted + ", and is " + found));
  CHECK(contains(reject.advice, "change the config's pin"));
}

TEST_CASE("a pin that matches loads, in either case of its digits") {
  const Folder folder;
  std::string pin = omnistore::loader::sha256(read_file(put(folder, "good", "sample")));
  CHECK(Registry({{folder.path()}, {{"sample", pin}}}).find("sample"));
  std::transform(pin.begin() + 7, pin.end(), pin.begin() + 7, [](unsigned char c) { return std::toupper(c); });
  CHECK(Registry({{folder.path()}, {{"sample", pin}}}).find("sample"));
}

TEST_CASE("a pin holds for the other names that the file may have, before its code runs") {
  const Folder folder;
  const std::string file = put(folder, "good", "libomnistore-sample");
  Registry registry({{folder.path()}, {{"sample", "sha256:" + std::string(64, '0')}}});
  registry.all();
  CHECK(reject_of(registry, file).reason.starts_with("it is pinned to"));
  CHECK_FALSE(is_mapped("libomnistore-sample-"));
}

TEST_CASE("a pin holds for a driver of that name in any other file") {
  const Folder folder;
  put(folder, "two_drivers", "pack");
  Registry registry({{folder.path()}, {{"sample", "sha256:" + std::string(64, '0')}}});
  CHECK_THROWS_WITH(registry.find("sample"), Catch::Contains("its driver 'sample': it is pinned to"));
  CHECK(registry.find("other")); // which nobody pinned
}

TEST_CASE("the hash is SHA-256") {
  CHECK(omnistore::loader::sha256("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
