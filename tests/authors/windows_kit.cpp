// SPDX-License-Identifier: Apache-2.0
// A part of the conformance kit as a program for Windows: `windows_kit.exe DLL` tries those rules that need nothing of
// the system but memory and threads. They run in this process, so a driver that crashes ends it.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>

#include <windows.h>

#include <conformance/bench.hpp>
#include <conformance/call_memory.hpp>
#include <conformance/kit.hpp>
#include <conformance/rule.hpp>
#include <conformance/system.hpp>

namespace omnistore::kit {

omnistore_entry load_entry(const std::string &file) {
  const HMODULE library = LoadLibraryA(file.c_str());
  if (!library) throw Broken("it does not load: error " + std::to_string(GetLastError()));
  const auto entry =
      reinterpret_cast<omnistore_entry>(reinterpret_cast<void *>(GetProcAddress(library, OMNISTORE_ENTRY)));
  if (!entry) throw Broken("it does not export " OMNISTORE_ENTRY);
  return entry;
}

bool Bench::in_process(const std::function<void()> &, const std::function<void(int)> &) {
  throw Skipped("there is no fork");
}

namespace {

constexpr std::size_t page = 4096;
/// One argument. The slots are used in turn, so that the addresses of the oldest ones are used again.
struct Piece {
  void *start = nullptr;
  bool live = false;
};
Piece pieces[4096];
std::mutex turn;
std::size_t next_slot = 0;

} // namespace

/// The memory of a call's arguments ends at a page that cannot be read, and stays reserved when the call is over.
void *CallMemory::take(std::size_t size, const char *) {
  const std::size_t room = size ? (size + page - 1) / page * page : page;
  char *start = static_cast<char *>(VirtualAlloc(nullptr, room + page, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
  if (!start) throw std::bad_alloc();
  DWORD before = 0;
  VirtualProtect(start + room, page, PAGE_NOACCESS, &before);
  const std::lock_guard lock(turn);
  do next_slot = (next_slot + 1) % std::size(pieces);
  while (pieces[next_slot].live); // used by calls in progress
  Piece &piece = pieces[next_slot];
  if (piece.start) VirtualFree(piece.start, 0, MEM_RELEASE);
  piece = {start, true};
  pieces_.push_back(next_slot);
  return start + room - size;
}

CallMemory::~CallMemory() {
  const std::lock_guard lock(turn);
  for (const std::size_t slot : pieces_) {
    VirtualFree(pieces[slot].start, 0, MEM_DECOMMIT);
    pieces[slot].live = false;
  }
}

} // namespace omnistore::kit

int main(int count, char **arguments) {
  using namespace omnistore::kit;
  if (count < 2) return 2;
  Subject subject;
  subject.file = arguments[1];
  if (count > 2) subject.options = arguments[2];
  int kept = 0, broken = 0, skipped = 0;
  for (const std::span<const Rule> some :
       {value_rules(), key_rules(), sink_rules(), meta_rules(), ttl_rules(), condition_rules(), listing_rules(),
        part_rules(), batch_rules(), watch_rules(), thread_rules(), call_rules(), extension_rules()}) {
    for (const Rule &rule : some) {
      std::string reason;
      try {
        Bench bench(subject, std::to_string(kept + broken + skipped), ".", 1, false);
        const std::uint64_t needs = rule.needs & ~for_readers;
        if (!bench.store().can(needs)) throw Skipped("it does not claim what the rule needs");
        if (bench.store().can(OMNISTORE_READS_ONLY) && !(rule.needs & for_readers)) throw Skipped("it reads only");
        bench.close();
        rule.test(bench);
        ++kept;
        continue;
      } catch (const Skipped &) {
        ++skipped;
        continue;
      } catch (const std::exception &error) {
        reason = error.what();
      }
      ++broken;
      std::printf("broken  %s\n  %s\n", std::string(rule.name).c_str(), reason.c_str());
    }
  }
  std::printf("%d rules: %d kept, %d broken, %d do not apply\n", kept + broken + skipped, kept, broken, skipped);
  return broken ? 1 : 0;
}
