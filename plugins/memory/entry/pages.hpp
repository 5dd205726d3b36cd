// SPDX-License-Identifier: Apache-2.0
// Pieces of memory. A long piece is mapped from the system, so that its memory goes back as soon as it is released; a
// shorter one comes from the process's allocator, which may keep it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

namespace memory {

/// Pieces of this size and more are mapped.
constexpr size_t mapped_size = size_t{128} * 1024;

inline size_t page_size() {
  static const auto size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}
inline size_t whole_pages(size_t bytes) { return (bytes + page_size() - 1) / page_size() * page_size(); }

/// Returns the memory that a piece of `bytes` takes: whole pages, or the allocator's own word and steps of 16 bytes.
inline size_t size_of_piece(size_t bytes) {
  return bytes >= mapped_size ? whole_pages(bytes) : (bytes + 8 + 15) / 16 * 16;
}

/// Returns whole pages that hold zeros. Throws std::bad_alloc.
inline void *map_pages(size_t bytes) {
  void *place = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) throw std::bad_alloc();
  return place;
}

/// Returns a piece of at least `bytes`, aligned to 16. Throws std::bad_alloc.
inline void *allocate_piece(size_t bytes) {
  if (bytes >= mapped_size) return map_pages(whole_pages(bytes));
  void *place = std::malloc(bytes);
  if (!place) throw std::bad_alloc();
  return place;
}

/// Releases what allocate_piece(bytes) returned.
inline void release_piece(void *place, size_t bytes) noexcept {
  if (bytes >= mapped_size)
    ::munmap(place, whole_pages(bytes));
  else
    std::free(place);
}

/// Makes the process's allocator return its free pages to the system. The time it takes grows with what is free there.
inline void trim_allocator() noexcept {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

} // namespace memory
