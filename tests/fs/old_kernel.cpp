// SPDX-License-Identifier: Apache-2.0
// The same operations on a kernel without openat2 and without flags of renameat2: a child process in which a filter
// refuses both.
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

bool refuse_new_calls() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Runs in a child on such a kernel; the number of the first line that was not as it should be, or 0.
template <class F>
int on_an_old_kernel(F run) {
  const pid_t child = fork();
  if (child == 0) _exit(refuse_new_calls() ? run() : 255);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define MUST(what)                                                                                                     \
  if (!(what)) return __LINE__

} // namespace

TEST_CASE("without openat2 and renameat2 values are set, replaced, nested, listed and removed") {
  Folder folder;
  const int wrong_line = on_an_old_kernel([&] {
    Host host;
    Store store(host, folder.path().string());
    MUST(store.set("a", "1") == OMNISTORE_OK);
    MUST(store.set("a", "2") == OMNISTORE_OK);
    MUST(store.set("a:b:c", "3") == OMNISTORE_OK);
    MUST(store.set("a", "4", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
    MUST(store.set("d", "5", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
    MUST(store.get("a") == "2" && store.get("a:b:c") == "3");
    MUST((store.list() == Keys{"a", "a:b:c", "d"}));
    MUST(store.remove("a") == OMNISTORE_OK);
    MUST(store.clear() == OMNISTORE_OK);
    return 0;
  });
  CHECK(wrong_line == 0);
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("without openat2 no symbolic link is followed") {
  Folder folder;
  write_file(folder / "outside", "secret");
  write_file(folder / "base/folder/inside", "value");
  std::filesystem::create_symlink("../outside", folder / "base/file");
  std::filesystem::create_symlink("..", folder / "base/up");
  std::filesystem::create_symlink("folder", folder / "base/in");
  const int wrong_line = on_an_old_kernel([&] {
    Host host;
    Store store(host, folder / "base");
    Got got;
    MUST(store.get("file", got) == OMNISTORE_DENIED);
    MUST(store.get("up:outside", got) != OMNISTORE_OK);
    MUST(store.get("in:inside", got) != OMNISTORE_OK);
    MUST(store.set("up:new", "x") != OMNISTORE_OK);
    MUST(store.get("folder:inside") == "value");
    MUST((store.list() == Keys{"folder:inside"}));
    return 0;
  });
  CHECK(wrong_line == 0);
  CHECK(!std::filesystem::exists(folder / "new"));
}
