// SPDX-License-Identifier: Apache-2.0
#include "base/memory_size.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include <unistd.h>

namespace omnistore::base {

namespace {

/// A whole number that a file holds; UINT64_MAX: there is none ("max"), or no such file.
std::uint64_t number_in(const std::string &path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? number : UINT64_MAX;
}

/// Returns the limit of the process's control group and of those above it: of version 2, else of version 1.
std::uint64_t allowed_by_group() {
  std::ifstream groups("/proc/self/cgroup");
  std::uint64_t least = UINT64_MAX;
  for (std::string line; std::getline(groups, line);) {
    const bool is_second = line.starts_with("0::");
    if (!is_second && line.find(":memory:") == std::string::npos) continue;
    const std::string root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string name = is_second ? "/memory.max" : "/memory.limit_in_bytes";
    // In a container the path is often not there, and the root is the group's own.
    for (std::string path = line.substr(line.rfind(':') + 1);; path.resize(path.rfind('/'))) {
      least = std::min(least, number_in(root + path + name));
      if (path.find('/') == std::string::npos) break;
    }
  }
  return least;
}

} // namespace

std::uint64_t memory_of_process() {
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0L));
  const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 0L));
  return std::min(pages * page, allowed_by_group());
}

} // namespace omnistore::base
