// SPDX-License-Identifier: Apache-2.0
// A call of the system that fails for the moment (no descriptor or memory left, a server away) says nothing of what
// lies on the disk: no verb takes it for an absence. Damage of one place leaves that place out of a listing, and says
// so.
#include <filesystem>
#include <optional>

#include <sys/stat.h>

#include "driven.hpp"
#include "injected.hpp"

using namespace test;

namespace {

/// Calls that look at what is there.
const std::vector<long> calls_that_look = {SYS_openat,    SYS_openat2,    SYS_newfstatat, SYS_fstat,
                                           SYS_fgetxattr, SYS_getdents64, SYS_pread64};
const Keys every_key = {"a", "a$", "d", "d:e", "d:e$", "d:f:g", "d:link", "e:timed", "e:timed$", "z"};

/// Keys of every kind: in folders, with a file of their own in one, links, with an expiry, with user meta.
struct Planted : Fixture {
  Planted() {
    store.set("a", "v", {.user = "u"});
    store.set("d", "v");
    store.set("d:e", "v", {.user = "u"});
    store.set("d:f:g", "v");
    store.set("e:timed", "v", {.expiry = host.time + 1'000'000, .user = "u"});
    store.set("z", "v");
    std::filesystem::create_symlink("e", file("d/link"));
  }
};

/// Fails the n-th of the calls, if there are so many.
struct NthCall {
  unsigned n;
  int error;
  unsigned seen = 0;
  bool hit = false;

  int operator()(const Made &) {
    const bool now = seen++ == n;
    hit |= now;
    return now ? error : 0;
  }
};

/// Calls `each` for the 0th, 1st, 2nd... call that fails, until a run makes no more of them.
void with_each_call_failing(int error, const std::function<void()> &run, const std::function<void()> &each) {
  for (unsigned n = 0; n < 1000; ++n) {
    INFO("call " << n << " fails with errno " << error);
    NthCall nth{n, error};
    if (!run_with_failures(calls_that_look, std::ref(nth), run)) {
      WARN("not tried: the system does not tell of system calls (seccomp user notification)");
      return;
    }
    each();
    if (!nth.hit) return;
  }
}

bool covers(const Page &page, const std::string &key) {
  for (const omnistore::Skip &skip : page.skipped) {
    if (skip.base == key || skip.base == key + ':' || (skip.base.ends_with(':') && key.starts_with(skip.base)))
      return true;
    if (skip.base.empty()) return true;
  }
  return false;
}

} // namespace

TEST_CASE("a listing either has every key or fails with the place when a call fails for the moment") {
  Planted f;
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOSPC, ESTALE}) {
    for (const std::uint32_t flags : {0u, static_cast<unsigned>(OMNISTORE_LIST_META)}) {
      std::optional<Page> page;
      omnistore_status status = OMNISTORE_OK;
      with_each_call_failing(
          error,
          [&] {
            page.emplace();
            status = f.store.page(*page, "", 100, "", OMNISTORE_ANY_DEPTH, flags);
          },
          [&] {
            CHECK(page->skipped.empty());
            if (status == OMNISTORE_OK)
              CHECK(page->keys() == every_key);
            else
              CHECK(!f.store.message().empty());
          });
    }
  }
}

TEST_CASE("a listing names the places that it leaves out when a call fails with damage") {
  Planted f;
  for (const int error : {EIO, EUCLEAN, EBADMSG}) {
    std::optional<Page> page;
    omnistore_status status = OMNISTORE_OK;
    with_each_call_failing(
        error,
        [&] { page.emplace(), status = f.store.page(*page, "", 100, "", OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META); },
        [&] {
          if (status != OMNISTORE_OK) return;
          const Keys keys = page->keys();
          for (const std::string &key : every_key) {
            INFO(key);
            CHECK((std::find(keys.begin(), keys.end(), key) != keys.end() || covers(*page, key)));
          }
        });
  }
}

TEST_CASE("a get either has the value with its user meta or fails when a call fails for the moment") {
  Planted f;
  for (const int error : {EMFILE, ENOMEM, EIO, ESTALE}) {
    for (const std::string key : {"a", "d", "d:e", "d:link", "e:timed"}) {
      INFO(key);
      std::optional<Got> got;
      omnistore_status status = OMNISTORE_OK;
      with_each_call_failing(
          error,
          [&] {
            got.emplace();
            status = f.store.get(key, *got, 0, UINT64_MAX, OMNISTORE_GET_META | OMNISTORE_GET_USER);
          },
          [&] {
            CHECK(status != OMNISTORE_NOT_FOUND);
            if (status != OMNISTORE_OK) return;
            CHECK(got->bytes == "v");
            CHECK(got->user == (key == "a" || key == "d:e" || key == "e:timed" ? "u" : ""));
            CHECK((got->expiry != 0) == (key == "e:timed"));
          });
    }
  }
}

TEST_CASE("a conditional write and a removal never take a value for absent when a call fails for the moment") {
  for (const int error : {EMFILE, ENOMEM, ENOSPC, ESTALE}) {
    for (const std::string key : {"a", "d", "d:e", "d:link", "e:timed"}) {
      INFO(key);
      omnistore_status status = OMNISTORE_OK;
      Planted f;
      with_each_call_failing(
          error, [&] { status = f.store.set(key, "new", {.condition = OMNISTORE_IF_ABSENT}); },
          [&] {
            CHECK(status != OMNISTORE_OK);
            Got got;
            CHECK(f.store.get(key, got) == OMNISTORE_OK);
            CHECK(got.bytes == "v");
          });
      with_each_call_failing(
          error, [&] { status = f.store.remove(key); },
          [&] {
            CHECK(status != OMNISTORE_NOT_FOUND);
            if (status != OMNISTORE_OK) return;
            Got got;
            CHECK(f.store.get(key, got) == OMNISTORE_NOT_FOUND);
            f.store.set(key, "v");
          });
    }
  }
}

TEST_CASE("a clear that a momentary failure cut short never reports success") {
  for (const int error : {EMFILE, ENOMEM, EIO, ESTALE}) {
    std::optional<Planted> f;
    omnistore_status status = OMNISTORE_OK;
    f.emplace();
    with_each_call_failing(
        error, [&] { status = f->store.clear(); },
        [&] {
          const Keys left = f->store.list();
          if (status == OMNISTORE_OK) CHECK(left.empty());
          f.emplace();
        });
  }
}

TEST_CASE("a store does not open when it cannot look at its base for the moment") {
  Planted f;
  for (const int error : {EMFILE, ENOMEM, EIO}) {
    omnistore_status status = OMNISTORE_OK;
    std::uint64_t capabilities = 0;
    with_each_call_failing(
        error,
        [&] {
          try {
            Store store(f.host, f.folder.path().string());
            capabilities = store.traits.capabilities;
            status = OMNISTORE_OK;
            store.close();
          } catch (const StatusError &refused) {
            status = OMNISTORE_IO;
          }
          f.host.drop_tasks();
        },
        [&] {
          if (status == OMNISTORE_OK) CHECK((capabilities & OMNISTORE_CAN_TTL) != 0);
        });
  }
}
