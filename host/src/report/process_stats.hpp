// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace omnistore::report {

/// The system's figures of this process.
struct ProcessStats {
  double start_time = 0;  ///< Unix seconds
  double cpu_seconds = 0; ///< user and system
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
};

ProcessStats process_stats();

} // namespace omnistore::report
