// SPDX-License-Identifier: Apache-2.0
// A value that is larger than memory should hold, in and out by HTTP and by the program, with little memory. 256 MiB by
// default; OMNISTORE_LARGE_MIB=4096 tests/program "A large value*" takes 4 GiB, and three times that of the disk.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "program.hpp"
#include "server/client.hpp"

using test::Strings;

namespace {

constexpr std::size_t MiB = 1024 * 1024;
constexpr long allowed_kib = 64 * 1024;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_counts = false; // most of it is the sanitizer's
#else
constexpr bool memory_counts = true;
#endif

std::size_t size_in_mib() {
  const char *asked = std::getenv("OMNISTORE_LARGE_MIB");
  return asked ? std::stoul(asked) : 256;
}

/// The n-th MiB of the value.
void fill(std::string &piece, std::size_t number) {
  piece.resize(MiB);
  for (std::size_t i = 0; i < MiB; ++i) piece[i] = static_cast<char>(i * i / 7 + number);
}

/// A program's end: how, and how much memory it had at most.
struct End {
  int code = -1;
  long peak_kib = 0;
};

End run(const Strings &command, const std::string &in, const std::string &out) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(::open(in.c_str(), O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    std::vector<char *> arguments;
    for (const std::string &each : command) arguments.push_back(const_cast<char *>(each.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  rusage used{};
  ::wait4(pid, &status, 0, &used);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, used.ru_maxrss};
}

/// The most memory that a running process has had so far.
long peak_kib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; in >> word;)
    if (word == "VmHWM:") {
      long size = 0;
      in >> size;
      return size;
    }
  return -1;
}

bool is_the_value(const std::string &file) {
  std::ifstream in(file, std::ios::binary);
  std::string expected, found(MiB, '\0');
  for (std::size_t i = 0; i < size_in_mib(); ++i) {
    fill(expected, i);
    if (!in.read(found.data(), MiB) || found != expected) return false;
  }
  return in.peek() == std::ifstream::traits_type::eof();
}

void check_memory(const char *who, long kib) {
  std::cerr << "  " << who << ": at most " << kib << " KiB\n";
  CHECK(kib > 0);
  if (memory_counts) CHECK(kib < allowed_kib);
}

} // namespace

TEST_CASE("A large value goes in and out of a host by HTTP with flat memory") {
  const test::Place place;
  test::Host host(place.config());
  test::Client client(host.url.substr(std::string("http://").size()));
  const bool chunked = GENERATE(false, true);
  std::string piece;
  client.send(
      "PUT /large HTTP/1.1\r\nHost: localhost\r\n" +
      (chunked ? std::string("Transfer-Encoding: chunked") : "Content-Length: " + std::to_string(size_in_mib() * MiB)) +
      "\r\n\r\n");
  for (std::size_t i = 0; i < size_in_mib(); ++i) {
    fill(piece, i);
    REQUIRE(client.send(chunked ? "100000\r\n" + piece + "\r\n" : piece));
  }
  if (chunked) client.send("0\r\n\r\n");
  REQUIRE(client.receive().status == 200);
  check_memory("the host, after PUT", peak_kib(host.process().pid()));
  REQUIRE(is_the_value(place.folder / "root/large"));

  client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(client.head().header("content-length") == std::to_string(size_in_mib() * MiB));
  std::size_t right = 0;
  for (std::size_t i = 0; i < size_in_mib(); ++i) {
    fill(piece, i);
    right += client.take_all(MiB) == piece;
  }
  CHECK(right == size_in_mib());
  check_memory("the host, after GET", peak_kib(host.process().pid()));
}

TEST_CASE("A large value goes in and out of the program with flat memory, its host's too") {
  const test::Place place;
  const std::string in = place.folder / "in", out = place.folder / "out";
  {
    std::ofstream file(in, std::ios::binary);
    std::string piece;
    for (std::size_t i = 0; i < size_in_mib(); ++i) {
      fill(piece, i);
      file << piece;
    }
  }
  const bool remote = GENERATE(false, true);
  test::Host host(place.config());
  Strings program{test::program()};
  for (const std::string &word : remote ? Strings{"--url", host.url} : Strings{"-c", place.config()})
    program.push_back(word);
  const auto with = [&](Strings more) {
    more.insert(more.begin(), program.begin(), program.end());
    return more;
  };
  const End set = run(with({"set", "large", "-f", "-"}), in, "/dev/null");
  CHECK(set.code == 0);
  check_memory("set", set.peak_kib);
  REQUIRE(is_the_value(place.folder / "root/large"));
  const End get = run(with({"get", "large"}), "/dev/null", out);
  CHECK(get.code == 0);
  check_memory("get", get.peak_kib);
  CHECK(is_the_value(out));
  check_memory("the host", peak_kib(host.process().pid()));
}
