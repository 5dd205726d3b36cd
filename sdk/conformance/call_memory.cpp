// SPDX-License-Identifier: Apache-2.0
#include "call_memory.hpp"

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

namespace omnistore::kit {
namespace {

/// One argument: its pages, and the unreadable page after them. The slots are used in turn, so that the oldest ones are
/// reused.
struct Piece {
  std::atomic<char *> start{nullptr};
  std::size_t length = 0; // with the page after them
  std::size_t size = 0;
  const char *function = nullptr;
  const char *what = nullptr;
  std::atomic<bool> live{false};
};

constexpr std::size_t slots = 4096;
Piece pieces[slots];
std::mutex turn;
std::size_t next_slot = 0;

const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

} // namespace

void *CallMemory::take(std::size_t size, const char *what) {
  const std::size_t room = (size + page - 1) / page * page;
  const std::size_t length = (room ? room : page) + page;
  void *start = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  char *end = static_cast<char *>(start) + length - page;
  mprotect(end, page, PROT_NONE);
  const std::lock_guard lock(turn);
  while (pieces[next_slot].live) next_slot = (next_slot + 1) % slots; // used by calls in progress
  const std::size_t slot = next_slot;
  next_slot = (next_slot + 1) % slots;
  Piece &piece = pieces[slot];
  if (char *old = piece.start.exchange(nullptr)) munmap(old, piece.length);
  piece.length = length;
  piece.size = size;
  piece.function = function_;
  piece.what = what;
  piece.live = true;
  piece.start = static_cast<char *>(start);
  pieces_.push_back(slot);
  return end - size;
}

CallMemory::~CallMemory() {
  const std::lock_guard lock(turn);
  for (const std::size_t slot : pieces_) {
    Piece &piece = pieces[slot];
    // Keep the addresses reserved, but give the memory back.
    mmap(piece.start, piece.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    piece.live = false;
  }
}

bool explain_fault(const void *address, char *text, std::size_t size) noexcept {
  const auto *at = static_cast<const char *>(address);
  for (const Piece &piece : pieces) {
    const char *start = piece.start;
    if (!start || at < start || at >= start + piece.length) continue;
    if (piece.live)
      std::snprintf(text, size, "it went beyond the end of an argument of %s: %s of %zu bytes", piece.function,
                    piece.what, piece.size);
    else
      std::snprintf(text, size, "it used what %s was given after %s had returned: %s", piece.function, piece.function,
                    piece.what);
    return true;
  }
  return false;
}

} // namespace omnistore::kit
