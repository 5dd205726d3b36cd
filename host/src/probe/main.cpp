// SPDX-License-Identifier: Apache-2.0
// omnistore-probe FILE: loads a plugin and reads its table. A plugin that crashes, exits or hangs while it is loaded
// then ends this process and not the host. The host runs it (loader/probe.hpp) before it maps a plugin file for the
// first time, and checks the table itself afterwards.
//
// Standard output has a line for each step: "load", "entry", "table", "driver NAME" for each driver, "done". The
// descriptor is moved before the plugin is loaded, since a plugin may print.
#include <cstdio>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include <omnistore/driver.h>

namespace {

int report = -1;

void say(const char *step, const char *name = "") {
  const std::string line = std::string(step) + name + "\n";
  if (::write(report, line.data(), line.size()) < 0) ::_exit(126);
}

/// Reads every byte of a text, as the host will do.
void read(const char *text) {
  if (text) static_cast<void>(std::strlen(text));
}

template <class Sized>
Sized copy(const Sized *from) {
  Sized into{};
  std::memcpy(&into, from, from->size < sizeof into ? from->size : sizeof into);
  return into;
}

void walk(const omnistore_plugin *entry_gave) {
  constexpr std::uint32_t most_drivers = 1024; // the host refuses more than this
  const omnistore_plugin plugin = copy(entry_gave);
  if (plugin.abi_major != OMNISTORE_ABI_MAJOR) return; // the host does not read the rest
  read(plugin.name);
  read(plugin.version);
  for (std::uint32_t i = 0; plugin.drivers && plugin.driver_count <= most_drivers && i < plugin.driver_count; ++i) {
    if (!plugin.drivers[i]) continue;
    const omnistore_driver driver = copy(plugin.drivers[i]);
    char name[65] = "";
    if (driver.name) std::snprintf(name, sizeof name, "%.*s", 64, driver.name);
    read(driver.version);
    read(driver.summary);
    read(driver.options_schema);
    if (driver.traits) copy(driver.traits);
    if (!std::strchr(name, '\n')) say("driver ", name);
  }
}

/// Discards the output of the plugin, and limits the time.
void seclude() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0}, seconds{10, 10};
  ::setrlimit(RLIMIT_CORE, &none);
  ::setrlimit(RLIMIT_CPU, &seconds);
  report = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fputs("usage: omnistore-probe FILE\n", stderr);
    return 2;
  }
  seclude();
  say("load");
  void *const library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  const auto entry = library ? reinterpret_cast<omnistore_entry>(::dlsym(library, OMNISTORE_ENTRY)) : nullptr;
  if (entry) {
    say("entry");
    constexpr omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
    try {
      if (const omnistore_plugin *plugin = entry(&abi)) {
        say("table");
        walk(plugin);
      }
    } catch (...) { // the host gets the same exception and reports it
    }
  }
  say("done");
  ::_exit(0);
}
