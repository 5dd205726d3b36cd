// SPDX-License-Identifier: Apache-2.0
// Durability full: what is acknowledged was written to the medium, and a change that may not outlive a power cut is an
// error.
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>

#include "driven.hpp"
#include "injected.hpp"

using namespace test;

namespace {

constexpr std::string_view full = R"(, "durability": "full")";

/// Fails each fsync of a folder from a certain one on; counts them.
struct Syncs {
  unsigned fail_from = UINT_MAX, folders = 0;
  int error = EIO;

  int operator()(const Made &made) {
    struct stat status;
    if (fstat(static_cast<int>(made.arguments[0]), &status) != 0 || !S_ISDIR(status.st_mode)) return 0;
    return folders++ >= fail_from ? error : 0;
  }
};

/// One change at durability full, after `before`, with the n-th fsync of a folder and all that follow failing.
struct Change {
  const char *name;
  std::function<void(Store &)> before;
  std::function<omnistore_status(Store &, Host &)> run;
};

const Change changes[] = {
    {"set of a new key", [](Store &) {}, [](Store &s, Host &) { return s.set("k", "v"); }},
    {"set in a new folder", [](Store &) {}, [](Store &s, Host &) { return s.set("a:b:c", "v"); }},
    {"set below a value", [](Store &s) { s.set("a", "v"); }, [](Store &s, Host &) { return s.set("a:b", "v"); }},
    {"set with user meta", [](Store &) {}, [](Store &s, Host &) { return s.set("k", "v", {.user = "u"}); }},
    {"set that drops user meta of a value that is a folder",
     [](Store &s) { s.set("a:b", "v"), s.set("a", "v", {.user = "u"}); },
     [](Store &s, Host &) { return s.set("a", "w"); }},
    {"remove", [](Store &s) { s.set("k", "v"); }, [](Store &s, Host &) { return s.remove("k"); }},
    {"remove of the last key of a folder", [](Store &s) { s.set("a:b:c", "v"); },
     [](Store &s, Host &) { return s.remove("a:b:c"); }},
    {"remove of a value that is a folder, with user meta",
     [](Store &s) { s.set("a:b", "v"), s.set("a", "v", {.user = "u"}); },
     [](Store &s, Host &) { return s.remove("a"); }},
    {"set with an expiry that has passed", [](Store &s) { s.set("k", "v"); },
     [](Store &s, Host &h) { return s.set("k", "w", {.expiry = h.time - 1}); }},
    {"touch with an expiry that has passed", [](Store &s) { s.set("k", "v"); },
     [](Store &s, Host &h) { return s.touch("k", h.time - 1); }},
    {"touch that sets user meta", [](Store &s) { s.set("k", "v"); },
     [](Store &s, Host &) { return s.touch_user("k", "u"); }},
    {"touch that removes user meta", [](Store &s) { s.set("k", "v", {.user = "u"}); },
     [](Store &s, Host &) { return s.touch_user("k", ""); }},
    {"clear", [](Store &s) { s.set("k", "v"), s.set("l", "v"); }, [](Store &s, Host &) { return s.clear(); }},
    {"clear of folders", [](Store &s) { s.set("a:b", "v"), s.set("a:c:d", "v"), s.set("e", "v"); },
     [](Store &s, Host &) { return s.clear(); }},
    {"clear of a base", [](Store &s) { s.set("a:b", "v"), s.set("a", "v"); },
     [](Store &s, Host &) { return s.clear("a:"); }},
};

struct Outcome {
  omnistore_status status;
  unsigned folders;
  std::string message;
};

/// Nothing: it cannot be tried.
std::optional<Outcome> run(const Change &change, unsigned fail_from, int error = EIO) {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), full);
  change.before(store);
  Syncs syncs{fail_from, 0, error};
  omnistore_status status = OMNISTORE_OK;
  if (!run_with_failures({SYS_fsync}, std::ref(syncs), [&] { status = change.run(store, host); })) {
    WARN("not tried: the system does not tell of system calls (seccomp user notification)");
    return {};
  }
  return Outcome{status, syncs.folders, store.message()};
}

} // namespace

TEST_CASE("at durability full no change is acknowledged unless each fsync of a folder succeeded") {
  for (const Change &change : changes) {
    INFO(change.name);
    const std::optional<Outcome> whole = run(change, UINT_MAX);
    if (!whole) return;
    CHECK(whole->status == OMNISTORE_OK);
    CHECK(whole->folders > 0);
    for (unsigned n = 0; n < whole->folders; ++n) {
      INFO("fsync of folder " << n << " of " << whole->folders);
      const Outcome failed = *run(change, n);
      CHECK(failed.status == OMNISTORE_IO);
      CHECK(failed.message.find("Input/output error") != std::string::npos);
    }
  }
}

TEST_CASE("a removal that finds nothing after a failed fsync is acknowledged only when a fsync succeeds") {
  for (const Change &change : changes) {
    const std::string_view name = change.name;
    if (!name.starts_with("remove") && !name.starts_with("clear") && name.find("has passed") == name.npos) continue;
    INFO(name);
    const std::optional<Outcome> whole = run(change, UINT_MAX);
    if (!whole) return;
    for (unsigned n = 0; n < whole->folders; ++n) {
      INFO("fsync of folder " << n << " of " << whole->folders);
      Folder folder;
      Host host;
      Store store(host, folder.path().string(), full);
      change.before(store);
      omnistore_status status = OMNISTORE_OK;
      const auto once = [&](unsigned fail_from) {
        Syncs syncs{fail_from, 0, EIO};
        run_with_failures({SYS_fsync, SYS_syncfs}, std::ref(syncs), [&] { status = change.run(store, host); });
        return syncs.folders;
      };
      once(n);
      CHECK(status == OMNISTORE_IO);
      once(0);
      CHECK(status == OMNISTORE_IO);
      CHECK(once(UINT_MAX) > 0);
      CHECK((status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND));
      if (name.starts_with("clear")) continue; // it syncs the folders that it meets, each time
      once(0);                                 // nothing is owed any more
      CHECK((status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND));
    }
  }
}

TEST_CASE("a removal whose fsync fails for want of space is io, for the value is gone") {
  const Change remove = {"remove", [](Store &s) { s.set("a:k", "v"); },
                         [](Store &s, Host &) { return s.remove("a:k"); }};
  const std::optional<Outcome> failed = run(remove, 0, ENOSPC);
  if (!failed) return;
  CHECK(failed->status == OMNISTORE_IO);
  CHECK(failed->message.find("a/k: ") != std::string::npos);
}

TEST_CASE("a clear whose fsync fails removes the keys that it can") {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), full);
  for (const char *key : {"a:1", "b:1", "c"}) store.set(key, "v");
  Syncs syncs{0, 0, EIO};
  omnistore_status status = OMNISTORE_OK;
  if (!run_with_failures({SYS_fsync}, std::ref(syncs), [&] { status = store.clear(); })) return;
  CHECK(status == OMNISTORE_IO);
  CHECK(store.list().empty());
}

TEST_CASE("a value that expires is reported and its failed fsync is logged, and the sweep continues") {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), full);
  for (const char *key : {"a:1", "b:1", "c"}) store.set(key, "v", {.expiry = host.time + 1000});
  Syncs syncs{0, 0, EIO};
  if (!run_with_failures({SYS_fsync}, std::ref(syncs), [&] { host.run_for(5000); })) return;
  CHECK(host.take_expired() == Keys{"a:1", "b:1", "c"});
  REQUIRE(!host.lines().empty());
  CHECK(host.lines().back().find("Input/output error") != std::string::npos);
}
