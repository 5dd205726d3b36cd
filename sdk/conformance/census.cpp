// SPDX-License-Identifier: Apache-2.0
#include "census.hpp"

#include <chrono>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string_view>
#include <thread>

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broken.hpp"

extern char **environ;

namespace omnistore::kit {
namespace {

std::uint64_t digest(std::uint64_t so_far, std::string_view bytes) {
  return so_far * 1099511628211u ^ std::hash<std::string_view>()(bytes);
}

std::set<std::string> threads() {
  std::set<std::string> ids;
  for (const auto &each : std::filesystem::directory_iterator("/proc/self/task")) ids.insert(each.path().filename());
  return ids;
}

} // namespace

Census Census::take() {
  Census census;
  census.threads = kit::threads();
  for (const auto &each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone; // the iterator's own descriptor
    const auto target = std::filesystem::read_symlink(each.path(), gone);
    if (!gone && target.string().find("/proc/") != 0) census.descriptors.emplace(each.path().filename(), target);
  }
  census.folder = std::filesystem::current_path();
  census.locale = setlocale(LC_ALL, nullptr);
  for (int signal = 1; signal < 32; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    const auto handler = reinterpret_cast<std::uintptr_t>(action.sa_handler);
    census.signals = digest(census.signals, {reinterpret_cast<const char *>(&handler), sizeof handler});
  }
  for (char **each = environ; each && *each; ++each) census.variables = digest(census.variables, *each);
  census.mask = umask(0);
  umask(census.mask);
  return census;
}

void Census::compare(const std::string &after) const {
  std::set<std::string> more;
  for (int tries = 0; tries < 100; ++tries) { // a thread that was joined leaves /proc a moment later
    more.clear();
    for (const std::string &each : kit::threads())
      if (!threads.contains(each)) more.insert(each);
    if (more.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  require(more.empty(), std::to_string(more.size()) + " threads are left after " + after);
  const Census now = take();
  for (const auto &[number, target] : now.descriptors) {
    const auto before = descriptors.find(number);
    require(before != descriptors.end() && before->second == target,
            "descriptor " + number + " (" + target + ") is left after " + after);
  }
  now.require_settings(*this, after);
}

void Census::compare_settings(const std::string &after) const { take().require_settings(*this, after); }

void Census::require_settings(const Census &before, const std::string &after) const {
  require(folder == before.folder, "the working directory is another after " + after);
  require(locale == before.locale, "the locale is another after " + after);
  require(signals == before.signals, "a signal's handler is another after " + after);
  require(variables == before.variables, "the environment is another after " + after);
  require(mask == before.mask, "the umask is another after " + after);
}

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

} // namespace omnistore::kit
