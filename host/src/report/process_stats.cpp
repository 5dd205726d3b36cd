// SPDX-License-Identifier: Apache-2.0
#include "report/process_stats.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace omnistore::report {

namespace {

double seconds(const timeval &time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// Returns when the process began; the system gives it in ticks since it was booted.
double start_time() {
  std::ifstream stat("/proc/self/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(')'); // the name before it may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 19; ++i) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  double booted = 0;
  std::ifstream all("/proc/stat");
  for (std::string key; all >> key; std::getline(all, line)) {
    if (key == "btime") all >> booted;
  }
  return booted + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

} // namespace

ProcessStats process_stats() {
  static const double started = start_time();
  ProcessStats stats;
  stats.start_time = started;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  stats.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  stats.resident_bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (!error) stats.open_files = static_cast<std::uint64_t>(std::distance(begin(files), end(files)));
  return stats;
}

} // namespace omnistore::report
