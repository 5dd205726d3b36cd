// SPDX-License-Identifier: Apache-2.0
#include "probe.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <spdlog/spdlog.h>

#include "base/descriptor.hpp"
#include "plugin_error.hpp"
#include "search.hpp"
#include "vet.hpp"

extern char **environ;

namespace omnistore::loader {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds longest{2000};
constexpr std::size_t longest_report = 1 << 20;

// ---------------------------------------------------------------------------------------------------- the known facts

/// A part of a record's name, so that records of a host with other checks do not count.
constexpr std::string_view generation = "1.";

/// Returns the cache folder, or nullopt if there is none that only this user can write.
base::Descriptor open_folder(bool make) {
  std::string base;
  if (const char *cache = ::secure_getenv("XDG_CACHE_HOME"); cache && cache[0] == '/')
    base = cache;
  else if (const char *home = ::secure_getenv("HOME"); home && home[0] == '/')
    base = std::string(home) + "/.cache";
  else
    base = "/var/cache";
  const std::string path = base + "/omnistore/plugins";
  if (make) {
    ::mkdir(base.c_str(), 0700);
    ::mkdir((base + "/omnistore").c_str(), 0755);
    ::mkdir(path.c_str(), 0700);
  }
  base::Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!folder || ::fstat(folder.number(), &info) != 0 || info.st_uid != ::geteuid() || (info.st_mode & 022) != 0)
    return {};
  return folder;
}

/// The record of one state of a file. Its name in the cache contains everything.
std::string record_of(const PluginFile &plugin) {
  std::string name(generation);
  for (const auto number : {plugin.id.device, plugin.id.inode, plugin.id.size,
                            static_cast<std::uint64_t>(plugin.id.mtime), static_cast<std::uint64_t>(plugin.changed)})
    name += std::to_string(number) + '.';
  return name;
}

std::string record_of_content(const PluginFile &plugin) {
  return std::string(generation) + sha256(plugin.bytes).substr(std::strlen("sha256:"));
}

DriverNames lines_of(std::string_view text) {
  DriverNames names;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

std::optional<DriverNames> read_record(const base::Descriptor &folder, const std::string &name) {
  const base::Descriptor file(::openat(folder.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text(64 * 1024, '\0');
  const ssize_t got = ::pread(file.number(), text.data(), text.size(), 0);
  // A record ends with a line of its own, so that an incomplete one does not count.
  constexpr std::string_view last = "end\n";
  if (got <= 0 || !std::string_view(text.data(), static_cast<std::size_t>(got)).ends_with(last)) return std::nullopt;
  text.resize(static_cast<std::size_t>(got) - last.size());
  return lines_of(text);
}

void write_record(const base::Descriptor &folder, const std::string &name, const DriverNames &names) {
  std::string text;
  for (const std::string &one : names) text += one + "\n";
  text += "end\n";
  const base::Descriptor file(
      ::openat(folder.number(), name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file && ::write(file.number(), text.data(), text.size()) < 0) ::unlinkat(folder.number(), name.c_str(), 0);
}

/// Removes all records if there are too many. Another probe makes each of them again.
void make_room(const base::Descriptor &folder) {
  constexpr std::size_t most = 500;
  std::error_code error;
  const fs::path path = "/proc/self/fd/" + std::to_string(folder.number());
  std::vector<fs::path> all;
  for (const auto &entry : fs::directory_iterator(path, error)) all.push_back(entry.path().filename());
  if (all.size() < most) return;
  for (const fs::path &name : all) ::unlinkat(folder.number(), name.c_str(), 0);
}

// ----------------------------------------------------------------------------------------------------------- the child

struct Child {
  pid_t pid = -1;
  base::Descriptor report;
};

/// Starts the probe. The pid is -1 if it cannot be started.
Child start(const std::string &probe, const std::string &file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  Child child{-1, base::Descriptor(ends[0])};
  const base::Descriptor write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.number(), STDOUT_FILENO);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes,
                              0); // Ctrl-C reaches only the host, which can kill all processes that the plugin starts
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string program_name = probe, argument = file;
  char *const arguments[] = {program_name.data(), argument.data(), nullptr};
  if (::posix_spawn(&child.pid, probe.c_str(), &actions, &attributes, arguments, environ) != 0) child.pid = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return child;
}

struct Outcome {
  std::string report;
  bool in_time = true;
  int status = 0;
};

Outcome wait_for(Child &child) {
  Outcome outcome;
  const auto until = Clock::now() + longest;
  for (char piece[4096];;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd ready{child.report.number(), POLLIN, 0};
    const int found = left.count() <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left.count()));
    if (found < 0 && errno == EINTR) continue;
    const ssize_t got = found > 0 ? ::read(child.report.number(), piece, sizeof piece) : -1;
    if (found > 0 && got < 0 && errno == EINTR) continue;
    if (got > 0) outcome.report.append(piece, static_cast<std::size_t>(got));
    outcome.in_time = got >= 0 && outcome.report.size() <= longest_report;
    if (got <= 0 || !outcome.in_time || outcome.report.ends_with("\ndone\n")) break;
  }
  if (!outcome.in_time) ::kill(-child.pid, SIGKILL);
  while (::waitpid(child.pid, &outcome.status, 0) < 0 && errno == EINTR) {
  }
  return outcome;
}

std::string signal_name(int signal) {
  const char *name = ::sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

/// Describes the problem by the last step that was reached.
[[noreturn]] void refuse(const Outcome &outcome) {
  const bool table = outcome.report.find("\ntable\n") != std::string::npos;
  const bool entry = outcome.report.find("\nentry\n") != std::string::npos;
  const std::string what = table ? "reading its table of drivers" : entry ? "its entry function" : "loading it";
  const std::string advice = "this is a defect of the plugin";
  if (!outcome.in_time)
    throw PluginError(what + (entry && !table ? " did not return" : " did not end") + " within 2 s", advice);
  if (WIFSIGNALED(outcome.status)) {
    const std::string name = signal_name(WTERMSIG(outcome.status));
    throw PluginError(what + (entry && !table ? " died of " : " ended in ") + name, advice);
  }
  throw PluginError(what + (entry && !table ? " called exit(" : " ended in exit(") +
                        std::to_string(WEXITSTATUS(outcome.status)) + ")",
                    advice);
}

} // namespace

std::optional<DriverNames> known_good(const PluginFile &plugin) {
  const base::Descriptor folder = open_folder(false);
  if (!folder) return std::nullopt;
  if (auto names = read_record(folder, record_of(plugin))) return names;
  auto names = read_record(folder, record_of_content(plugin));
  if (names) write_record(folder, record_of(plugin), *names);
  return names;
}

std::string probe_program() {
  const char *const named = ::secure_getenv("OMNISTORE_PROBE");
  return named ? named : helper_file("omnistore-probe");
}

std::optional<DriverNames> probe(const PluginFile &plugin, const std::string &path) {
  if (auto names = known_good(plugin)) return names;
  static std::atomic<bool> told{false};
  const auto untried = [&](const std::string &why) -> std::optional<DriverNames> {
    if (!told.exchange(true)) spdlog::info("plugins are loaded without a probe in another process: {}", why);
    return std::nullopt;
  };
  const std::string small_program = probe_program();
  if (small_program.empty()) return untried("omnistore-probe was not found");
  Child child = start(small_program, path);
  if (child.pid < 0) return untried(small_program + " cannot be started");
  const Outcome outcome = wait_for(child);
  if (!outcome.report.starts_with("load\n")) return untried(small_program + " does not work");
  if (!outcome.report.ends_with("\ndone\n")) refuse(outcome);

  DriverNames names;
  constexpr std::string_view driver = "driver ";
  for (const std::string &line : lines_of(outcome.report))
    if (line.starts_with(driver)) names.push_back(line.substr(driver.size()));
  if (const base::Descriptor folder = open_folder(true)) {
    make_room(folder);
    write_record(folder, record_of_content(plugin), names);
    write_record(folder, record_of(plugin), names);
  }
  return names;
}

} // namespace omnistore::loader
