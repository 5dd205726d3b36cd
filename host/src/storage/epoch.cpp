// SPDX-License-Identifier: Apache-2.0
#include "storage/epoch.hpp"

#include <chrono>
#include <thread>

namespace omnistore {

void Epoch::synchronize() {
  std::lock_guard lock(writers_);
  for (int flip = 0; flip < 2; ++flip) {
    const std::uint32_t old = parity_.load(std::memory_order_relaxed);
    parity_.store(1 - old, std::memory_order_seq_cst);
    for (Slot &slot : slots_) {
      // A look-up takes less than a microsecond, unless its thread has to wait for a processor.
      for (unsigned tries = 0; slot.readers[old].load(std::memory_order_seq_cst) != 0; ++tries) {
        if (tries < 100)
          std::this_thread::yield();
        else
          std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    }
  }
}

} // namespace omnistore
