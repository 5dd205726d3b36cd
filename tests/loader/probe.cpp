// SPDX-License-Identifier: Apache-2.0
// A plugin file is loaded in a process of its own before the host loads it, once for each content.
#include <csignal>
#include <cstdlib>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.hpp"

using namespace test;
using omnistore::Error;
using omnistore::Status;

namespace {

/// A cache of the test's own, so that nothing is known yet.
struct Cache {
  Folder folder;
  Variable home{"XDG_CACHE_HOME", folder.path().c_str()};
};

/// Stands in the place of omnistore-probe and counts how often it runs.
struct CountedProbe {
  Folder folder;
  std::string runs = folder / "runs";
  Variable program;
  CountedProbe() : program("OMNISTORE_PROBE", script().c_str()) {}
  std::size_t count() const { return std::filesystem::exists(runs) ? std::filesystem::file_size(runs) : 0; }

private:
  std::string script() const {
    const std::string path = folder / "probe";
    write_file(path,
               "#!/bin/sh\nprintf x >>'" + runs + "'\nexec '" OMNISTORE_BUILD "/libexec/omnistore-probe' \"$1\"\n");
    ::chmod(path.c_str(), 0700);
    return path;
  }
};

} // namespace

TEST_CASE("a plugin that takes its process down while it is loaded is refused with the reason", "[long]") {
  const Cache cache;
  const auto [plugin, reason] = GENERATE(table<std::string, std::string>({
      {"entry_segfaults", "its entry function died of SIGSEGV"},
      {"entry_aborts", "its entry function died of SIGABRT"},
      {"entry_exits", "its entry function called exit(3)"},
      {"entry_exits_0", "its entry function called exit(0)"},
      {"entry_hangs", "its entry function did not return within 2 s"},
      {"load_segfaults", "loading it ended in SIGSEGV"},
      {"load_exits", "loading it ended in exit(3)"},
      {"load_hangs", "loading it did not end within 2 s"},
      {"wild_table", "reading its table of drivers ended in SIGSEGV"},
  }));
  const RejectedPlugin reject = refused(built(plugin));
  CHECK(reject.reason == reason);
  CHECK(contains(reject.advice, "defect of the plugin"));
}

TEST_CASE("a refused plugin file is in the log once") {
  const Cache cache;
  const Log log;
  Registry registry({{built("entry_exits")}, {}});
  registry.all();
  registry.all();
  const std::string text = log.text.str();
  const auto first = text.find("its entry function called exit(3)");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("its entry function called exit(3)", first + 1) == std::string::npos);
}

TEST_CASE("a name that no file offers is looked for without loading a file into the process") {
  const Cache cache;
  const Folder folder;
  put(folder, "good", "one-of-another-name");
  put(folder, "entry_segfaults", "crashes");
  Registry registry({{folder.path()}, {}});
  std::string message;
  try {
    registry.find("sampel");
  } catch (const Error &error) {
    message = error.what();
  }
  CHECK(contains(message, "did you mean 'sample'?"));
  CHECK(contains(message, "died of SIGSEGV"));
  CHECK_FALSE(is_mapped("one-of-another-name"));
  CHECK(registry.find("sample"));
}

TEST_CASE("a content is probed once") {
  const Cache cache;
  const CountedProbe probe;
  const Folder folder;
  put(folder, "good", "sample");
  const auto look = [&] { return Registry({{folder.path()}, {}}).find("sample"); };
  look();
  look();
  CHECK(probe.count() == 1);
  put(folder, "good", "sample"); // the same content in another state of the file
  look();
  CHECK(probe.count() == 1);
  put(folder, "answers_2222", "sample");
  look();
  CHECK(probe.count() == 2);
}

TEST_CASE("a content that was refused is probed again") {
  const Cache cache;
  const CountedProbe probe;
  refused(built("entry_exits"));
  const std::size_t before = probe.count();
  refused(built("entry_exits"));
  CHECK(probe.count() == before + 1);
}

TEST_CASE("without a cache folder each load is probed") {
  const Folder folder;
  write_file(folder / "no-folder", "");
  const Variable home("XDG_CACHE_HOME", (folder / "no-folder").c_str());
  const CountedProbe probe;
  for (int i = 0; i < 2; ++i) CHECK(load("good"));
  CHECK(probe.count() == 2);
}

TEST_CASE("without omnistore-probe plugins load and the log says so once") {
  const Cache cache;
  const Variable none("OMNISTORE_PROBE", "");
  const Log log;
  CHECK(load("good"));
  CHECK(load("answers_1111"));
  CHECK(contains(log.text.str(), "without a probe in another process"));
}

TEST_CASE("a plugin file that was replaced is probed again when its driver is looked up") {
  const Folder folder;
  put(folder, "answers_1111", "sample");
  Registry registry({{folder.path()}, {}});
  const Log log;
  const DriverPtr old = registry.find("sample");
  CHECK(registry.find("sample") == old);
  put(folder, "answers_2222", "new");
  std::filesystem::rename(folder / "new.so", folder / "sample.so");
  const DriverPtr next = registry.find("sample");
  CHECK(next->version == "2.0.0");
  CHECK(answer(*next) == 2222);
  CHECK(answer(*old) == 1111);
  CHECK(contains(log.text.str(), "sample 1.0.0 -> 2.0.0"));
  // One that cannot be used is no driver, and says why.
  put(folder, "returns_null", "new");
  std::filesystem::rename(folder / "new.so", folder / "sample.so");
  CHECK_THROWS_AS(registry.find("sample"), Error);
}
