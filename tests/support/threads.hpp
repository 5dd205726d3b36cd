// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace test {

/// How many threads this process has, with the one that a sanitizer starts beside the first of ours.
inline int threads() {
  std::thread([] {}).join();
  std::ifstream status("/proc/self/status");
  std::string name;
  while (status >> name && name != "Threads:") {
  }
  int count = 0;
  status >> count;
  return count;
}

/// Returns true if there are at most so many before long.
inline bool threads_fall_to(int most) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (threads() > most) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

} // namespace test
