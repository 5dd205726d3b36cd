// SPDX-License-Identifier: Apache-2.0
// A small number for each running thread, so that counters can be kept a cache line a thread.
#pragma once

namespace omnistore {

/// All threads beyond the first ones share the last slot, so it needs atomic read-modify-writes. Each of the others has
/// one thread at a time, and a slot's next thread sees all writes of the one before it.
inline constexpr unsigned thread_slots = 64;
inline constexpr unsigned shared_slot = thread_slots - 1;

namespace detail {
inline thread_local unsigned slot_plus_one = 0;
unsigned take_slot();
} // namespace detail

/// This thread's slot, the same as long as it runs.
inline unsigned thread_slot() {
  const unsigned known = detail::slot_plus_one;
  return known != 0 ? known - 1 : detail::take_slot();
}

} // namespace omnistore
