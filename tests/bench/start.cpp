// SPDX-License-Identifier: Apache-2.0
// bench_start PORT PATH PROGRAM ARGUMENT...: starts the program and requests PATH from it until the status is 200, or
// sends PING until a Redis server responds. It prints the milliseconds that this took, those of them in which the
// program had the processor, and the kibibytes of memory that the program holds when idle, and stops it. The program
// runs on the first core, and bench_start on the second one, if there is one.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(20);

/// Returns true if the program sends `expected`, with `skipped` bytes before it, as the response to `request`. Returns
/// false if no program listens yet.
bool responds(std::uint16_t port, const std::string &request, std::size_t skipped, const std::string &expected) {
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string response(skipped + expected.size(), '\0');
  const bool responded =
      connect(socket_, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 &&
      write(socket_, request.data(), request.size()) == static_cast<ssize_t>(request.size()) &&
      recv(socket_, response.data(), response.size(), MSG_WAITALL) == static_cast<ssize_t>(response.size());
  close(socket_);
  return responded && response.compare(skipped, expected.size(), expected) == 0;
}

/// A path is requested by HTTP. PING is the command of Redis.
bool is_ready(std::uint16_t port, const std::string &path) {
  if (path == "PING") return responds(port, "PING\r\n", 0, "+PONG");
  const std::string host = "127.0.0.1:" + std::to_string(port);
  return responds(port, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n", std::strlen("HTTP/1.1 "), "200");
}

/// If there is no such core, nothing changes.
void pin(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);
}

/// On the first core. Spawned, not forked: a fork of this program would take milliseconds of its own.
pid_t start(char **command) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO})
    posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0);
  pin(0);
  pid_t child = -1;
  const int error = posix_spawnp(&child, command[0], &files, nullptr, command, environ);
  pin(1);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error(std::string("cannot be started: ") + std::strerror(error));
  return child;
}

/// Returns the number after `name` in a file of /proc.
long number_in(const std::string &file, const std::string &name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);)
    if (line.rfind(name, 0) == 0) return std::strtol(line.c_str() + name.size(), nullptr, 10);
  throw std::runtime_error("no " + name + " in " + file);
}

/// Milliseconds that all threads of a process have had the processor.
double processor_of(const std::string &process) {
  double nanoseconds = 0;
  for (const auto &thread : std::filesystem::directory_iterator(process + "/task")) {
    double running = 0;
    std::ifstream(thread.path() / "schedstat") >> running;
    nanoseconds += running;
  }
  return nanoseconds / 1e6;
}

void wait_until_ready(pid_t child, std::uint16_t port, const std::string &path) {
  const auto end = Clock::now() + patience;
  while (!is_ready(port, path)) {
    if (waitpid(child, nullptr, WNOHANG) != 0) throw std::runtime_error("it ended before it was ready");
    if (Clock::now() > end) {
      kill(child, SIGKILL);
      throw std::runtime_error("it was not ready within 20 seconds");
    }
    usleep(50);
  }
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fputs("usage: bench_start PORT PATH PROGRAM ARGUMENT...\n", stderr);
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10));
  try {
    const auto begin = Clock::now();
    const pid_t child = start(argv + 3);
    wait_until_ready(child, port, argv[2]);
    const double milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    const std::string process = "/proc/" + std::to_string(child);
    const double processor = processor_of(process);
    sleep(1); // what it does after its start is over: this is how it idles
    const long resident = number_in(process + "/status", "VmRSS:");
    const long share = number_in(process + "/smaps_rollup", "Pss:");
    kill(child, SIGTERM);
    waitpid(child, nullptr, 0);
    std::printf("{\"milliseconds\":%.3f,\"processor\":%.3f,\"rss\":%ld,\"pss\":%ld}\n", milliseconds, processor,
                resident, share);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", argv[3], error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
