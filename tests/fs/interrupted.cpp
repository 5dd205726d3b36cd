// SPDX-License-Identifier: Apache-2.0
// Signals that interrupt system calls: every call is repeated, and nobody notices.
#include <map>

#include "driven.hpp"
#include "injected.hpp"

using namespace test;

namespace {

/// Runs with each call interrupted before it happens, and returns how many kinds of calls were.
std::size_t with_interruptions(const std::function<void()> &run) {
  std::map<long, bool> interrupted;
  const auto decide = [&](const Made &made) {
    bool &was = interrupted[made.call];
    was = !was;
    return was ? EINTR : 0;
  };
  return run_with_failures(calls_on_files(), decide, run) ? interrupted.size() : 0;
}

/// Everything that a store does, on a thread that may not use the test's macros. The line that went wrong, or 0.
int everything(const std::string &base, std::string_view options) {
#define MUST(holds)                                                                                                    \
  if (!(holds)) return __LINE__
  Host host;
  Store store(host, base, options);
  const std::int64_t soon = host.time + 1000;
  MUST(store.set("a", "1") == OMNISTORE_OK);
  MUST(store.set("a", "2", {.user = "meta"}) == OMNISTORE_OK);
  MUST(store.set("a:b:c", "3", {.expiry = soon}) == OMNISTORE_OK);
  MUST(store.set("d", "4", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  MUST(store.get("a") == "2" && store.get("a:b:c") == "3");
  MUST(store.user("a") == "meta");
  MUST((store.list() == Keys{"a", "a$", "a:b:c", "d"}));
  MUST(store.touch("d", soon) == OMNISTORE_OK);
  MUST(store.touch("d", 0) == OMNISTORE_OK);
  MUST(store.touch_user("d", "more") == OMNISTORE_OK && store.user("d") == "more");
  MUST(store.touch_user("d", "") == OMNISTORE_OK && store.user("d").empty());
  Pieces pieces({"5", "6"});
  MUST(store.set("e:f", pieces) == OMNISTORE_OK && store.get("e:f") == "56");
  host.run_until(soon + 5000);
  MUST(host.take_expired() == Keys{"a:b:c"});
  MUST(store.remove("a") == OMNISTORE_OK);
  MUST((store.list() == Keys{"d", "e:f"}));
  MUST(store.clear() == OMNISTORE_OK && store.list().empty());
  return 0;
#undef MUST
}

} // namespace

TEST_CASE("a store whose every system call is interrupted does all that it does otherwise") {
  const std::string_view options =
      GENERATE(as<std::string_view>(), "", R"(, "durability": "data")", R"(, "durability": "full")");
  fs_driver(); // it is loaded without interruptions
  Folder folder;
  int wrong_line = -1;
  const std::size_t kinds =
      with_interruptions([&] { wrong_line = everything((folder.path() / "base").string(), options); });
  if (kinds == 0) {
    WARN("not tried: the system does not tell of system calls (seccomp user notification)");
    return;
  }
  CHECK(wrong_line == 0);
  CHECK(kinds > 12);
  CHECK(names_in(folder.path() / "base").empty());
}
