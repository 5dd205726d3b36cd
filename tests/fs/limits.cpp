// SPDX-License-Identifier: Apache-2.0
// Refusals of the system at any moment: a limit of the process, space, a filesystem that takes no writes. A set that
// fails says why, leaves the old value, and leaves no unfinished file.
#include <csignal>
#include <cstddef>
#include <functional>

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watched.hpp"

using namespace test;

namespace {

/// Runs in a child; the number of the first line that was not as it should be, 0: none, 255: it could not be tried.
int in_a_child(const std::function<int()> &run) {
  const pid_t child = fork();
  if (child == 0) _exit(run());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO("signal " << (WIFSIGNALED(status) ? WTERMSIG(status) : 0));
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/// From now on a system call fails with an error. `argument` and `bits`: only with all of these bits in an argument.
bool refuse(long call, int error, unsigned argument = 0, std::uint32_t bits = 0) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * argument)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void limit(int resource, rlim_t most) {
  const rlimit both{most, most};
  setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

/// A filesystem in memory over a folder, in a mount namespace of the calling process.
bool mount_over(const std::string &folder, const char *options) {
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", folder.c_str(), "tmpfs", 0, options) == 0;
}
constexpr int not_tried = 255;

#define EXPECT(holds)                                                                                                  \
  do {                                                                                                                 \
    if (!(holds)) return __LINE__;                                                                                     \
  } while (false)

} // namespace

TEST_CASE("a limit on the size of files fails a set, does not end the process, and leaves no file") {
  Fixture f;
  f.store.set("k", "old");
  const int line = in_a_child([&] {
    std::signal(SIGXFSZ, SIG_DFL);
    limit(RLIMIT_FSIZE, 4096);
    EXPECT(f.store.set("k", std::string(10'000, 'x')) == OMNISTORE_NO_SPACE);
    EXPECT(f.store.message().find("ulimit -f") != std::string::npos);
    Pieces pieces({std::string(4096, 'x'), "y"});
    EXPECT(f.store.set("a:k", pieces) == OMNISTORE_NO_SPACE);
    EXPECT(f.store.set("b", std::string(4096, 'x')) == OMNISTORE_OK);
    sigset_t waiting;
    EXPECT(sigpending(&waiting) == 0 && !sigismember(&waiting, SIGXFSZ));
    return 0;
  });
  CHECK(line == 0);
  CHECK(f.store.get("k") == "old");
  CHECK(f.names() == Keys{"b", "k"});
}

TEST_CASE("a set that the system refuses at any step leaves the old value and nothing else") {
  struct Step {
    long call;
    int error;
    omnistore_status status;
    unsigned argument = 0;
    std::uint32_t bits = 0;
  };
  const Step steps[] = {
      {SYS_write, ENOSPC, OMNISTORE_NO_SPACE},
      {SYS_write, EDQUOT, OMNISTORE_NO_SPACE},
      {SYS_write, EFBIG, OMNISTORE_NO_SPACE},
      {SYS_write, EIO, OMNISTORE_IO},
      {SYS_openat, ENOSPC, OMNISTORE_NO_SPACE, 2, O_CREAT},
      {SYS_openat, EDQUOT, OMNISTORE_NO_SPACE, 2, O_CREAT},
      {SYS_openat, EROFS, OMNISTORE_READ_ONLY, 2, O_CREAT},
      {SYS_openat, EMFILE, OMNISTORE_UNAVAILABLE, 2, O_CREAT},
      {SYS_openat, EACCES, OMNISTORE_DENIED, 2, O_CREAT},
      {SYS_mkdirat, ENOSPC, OMNISTORE_NO_SPACE},
      {SYS_utimensat, EIO, OMNISTORE_IO},
      {SYS_fsetxattr, ENOSPC, OMNISTORE_NO_SPACE},
      {SYS_fsetxattr, EDQUOT, OMNISTORE_NO_SPACE},
      {SYS_fsetxattr, EOPNOTSUPP, OMNISTORE_UNSUPPORTED},
      {SYS_fsync, EIO, OMNISTORE_IO},
      {SYS_fsync, ENOSPC, OMNISTORE_NO_SPACE},
      {SYS_renameat2, ENOSPC, OMNISTORE_NO_SPACE},
      {SYS_renameat2, EDQUOT, OMNISTORE_NO_SPACE},
      {SYS_renameat2, EIO, OMNISTORE_IO},
  };
  for (const Step &step : steps) {
    INFO("call " << step.call << ", " << strerror(step.error));
    Folder folder;
    Host host;
    Store store(host, folder.path().string(), R"(, "durability": "full")");
    const int status = in_a_child([&] {
      if (!refuse(step.call, step.error, step.argument, step.bits)) return not_tried;
      return static_cast<int>(store.set("folder:k", "v", {.expiry = host.time + 1000}));
    });
    if (status == not_tried) {
      WARN("not tried: the system has no seccomp filters");
      return;
    }
    CHECK(static_cast<omnistore_status>(status) == step.status);
    CHECK(names_in(folder.path()).empty());
  }
}

TEST_CASE("on a full disk a set fails, the old value stays, and a remove makes room") {
  Fixture f;
  const int line = in_a_child([&] {
    if (!mount_over(f.folder.path().string(), "size=64k")) return not_tried;
    EXPECT(f.store.set("a:k", "old") == OMNISTORE_OK);
    EXPECT(f.store.set("a:k", std::string(100'000, 'x')) == OMNISTORE_NO_SPACE);
    EXPECT(f.store.get("a:k") == "old");
    EXPECT((f.names() == Keys{"a", "a/k"}));
    EXPECT(f.store.set("big", std::string(50'000, 'x')) == OMNISTORE_OK);
    EXPECT(f.store.set("b:more", std::string(50'000, 'x')) == OMNISTORE_NO_SPACE);
    EXPECT((f.names() == Keys{"a", "a/k", "big"}));
    EXPECT(f.store.remove("big") == OMNISTORE_OK);
    EXPECT(f.store.set("b:more", std::string(50'000, 'x')) == OMNISTORE_OK);
    return 0;
  });
  if (line == not_tried) WARN("not tried: it takes a mount namespace");
  CHECK((line == 0 || line == not_tried));
}

TEST_CASE("without a free inode a set fails and leaves no folder") {
  Fixture f;
  const int line = in_a_child([&] {
    if (!mount_over(f.folder.path().string(), "nr_inodes=3")) return not_tried;
    EXPECT(f.store.set("a:b:c", "v") == OMNISTORE_NO_SPACE);
    EXPECT(f.names().empty());
    return 0;
  });
  if (line == not_tried) WARN("not tried: it takes a mount namespace");
  CHECK((line == 0 || line == not_tried));
}

TEST_CASE("on a filesystem that has become read-only reads continue and writes are refused as such") {
  Fixture f;
  const int line = in_a_child([&] {
    const std::string base = f.folder.path().string();
    if (!mount_over(base, nullptr)) return not_tried;
    EXPECT(f.store.set("a:k", "v") == OMNISTORE_OK);
    EXPECT(f.store.set("expired", "v", {.expiry = f.host.time + 1}) == OMNISTORE_OK);
    if (mount("none", base.c_str(), nullptr, MS_REMOUNT | MS_RDONLY | MS_BIND, nullptr) != 0) return not_tried;
    f.host.time += 1000;
    EXPECT(f.store.set("a:k", "w") == OMNISTORE_READ_ONLY);
    EXPECT(f.store.set("new:k", "w") == OMNISTORE_READ_ONLY);
    EXPECT(f.store.remove("a:k") == OMNISTORE_READ_ONLY);
    EXPECT(f.store.touch("a:k", f.host.time + 1000) == OMNISTORE_READ_ONLY);
    EXPECT(f.store.clear() == OMNISTORE_READ_ONLY);
    EXPECT(f.store.get("a:k") == "v");
    EXPECT(f.store.get("expired") == std::nullopt);
    EXPECT((f.store.list() == Keys{"a:k"}));
    return 0;
  });
  if (line == not_tried) WARN("not tried: it takes a mount namespace");
  CHECK((line == 0 || line == not_tried));
}

TEST_CASE("if no thread can be started a watch is unavailable, and the store continues") {
  Fixture f;
  std::filesystem::permissions(f.folder.path(), std::filesystem::perms::all);
  const int line = in_a_child([&] {
    if (setgroups(0, nullptr) != 0 || setgid(65530) != 0 || setuid(65530) != 0) return not_tried;
    limit(RLIMIT_NPROC, 1);
    Watch watch(f.store);
    EXPECT(watch.status == OMNISTORE_UNAVAILABLE);
    EXPECT(f.store.set("k", "v") == OMNISTORE_OK);
    return 0;
  });
  if (line == not_tried) WARN("not tried: it takes root");
  CHECK((line == 0 || line == not_tried));
}

TEST_CASE("without a free descriptor each operation is unavailable, and nothing is removed") {
  Fixture f;
  f.store.set("a:k", "v");
  f.store.set("b", "v");
  const int line = in_a_child([&] {
    limit(RLIMIT_NOFILE, 0);
    EXPECT(f.store.set("b", "w") == OMNISTORE_UNAVAILABLE);
    EXPECT(f.store.set("a:k", "w") == OMNISTORE_UNAVAILABLE);
    EXPECT(f.store.remove("b") == OMNISTORE_UNAVAILABLE);
    EXPECT(f.store.clear() == OMNISTORE_UNAVAILABLE);
    Page page;
    EXPECT(f.store.page(page, "", 10, "") == OMNISTORE_UNAVAILABLE);
    Watch watch(f.store);
    EXPECT(watch.status != OMNISTORE_OK);
    return 0;
  });
  CHECK(line == 0);
  CHECK(f.store.list() == Keys{"a:k", "b"});
}
