// SPDX-License-Identifier: Apache-2.0
#include "mapping.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include <cinttypes>
#include <sys/mman.h>

namespace lmdb {
namespace {

/// The address of the file's first byte in the map that an address lies in; 0: it is in none. LMDB does not say it.
std::uintptr_t map_around(std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0, offset = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &from, &to, &offset) == 3 &&
        from <= address && address < to)
      return from - offset;
  }
  return 0;
}

} // namespace

std::shared_ptr<const Mapping> Mapping::of(int file, std::size_t size, const void *inside) noexcept {
  try {
    const std::uintptr_t there = map_around(reinterpret_cast<std::uintptr_t>(inside));
    if (there == 0) return nullptr;
    void *const here = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
    if (here == MAP_FAILED) return nullptr;
    return std::make_shared<const Mapping>(static_cast<char *>(here), size, there);
  } catch (const std::exception &) {
    return nullptr;
  }
}

Mapping::~Mapping() { munmap(here_, size_); }

} // namespace lmdb
