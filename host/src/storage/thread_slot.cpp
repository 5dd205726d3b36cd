// SPDX-License-Identifier: Apache-2.0
#include "storage/thread_slot.hpp"

#include <bitset>
#include <mutex>

namespace omnistore::detail {
namespace {

struct Slots {
  std::mutex mutex;
  std::bitset<shared_slot> taken;
};

Slots &slots() {
  static auto *slots = new Slots; // never destroyed: threads may end after main has
  return *slots;
}

/// Gives the slot back when the thread ends. Code that runs later in it, in destructors of other thread-locals, takes
/// the shared slot.
struct Lease {
  unsigned slot = shared_slot;
  ~Lease() {
    slot_plus_one = shared_slot + 1;
    if (slot == shared_slot) return;
    std::lock_guard lock(slots().mutex);
    slots().taken.reset(slot);
  }
};
thread_local Lease lease;

} // namespace

unsigned take_slot() {
  std::lock_guard lock(slots().mutex);
  unsigned slot = 0;
  while (slot < shared_slot && slots().taken.test(slot)) ++slot;
  if (slot != shared_slot) slots().taken.set(slot);
  lease.slot = slot;
  slot_plus_one = slot + 1;
  return slot;
}

} // namespace omnistore::detail
