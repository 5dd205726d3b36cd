// SPDX-License-Identifier: Apache-2.0
// bench_watches PORT: puts to a host on this machine, while so many clients watch the base that they go to.
// bench_watches PORT soak WATCHERS EVENTS PUTS_A_SECOND: so many puts, and a line of JSON with how long they took and
// how many events the watchers did not get. 0 puts a second are as many as the host takes. It ends with 1 if any is
// lost.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.hpp"

namespace {

int connect_to(std::uint16_t port) {
  const int handle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  bench::require(handle >= 0 && ::connect(handle, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0,
                 "cannot connect");
  ::setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return handle;
}

void send_all(int handle, std::string_view text) {
  bench::require(::send(handle, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()),
                 "cannot send");
}

/// A client that watches, as far as it has read its stream.
struct Watcher {
  int handle = -1;
  std::string line; ///< its begin, as far as it has come
  std::uint64_t last = 0, events = 0, gaps = 0, resyncs = 0;

  void take(std::string_view bytes) {
    for (;;) {
      const void *found = std::memchr(bytes.data(), '\n', bytes.size());
      if (!found) break;
      const std::size_t end = static_cast<std::size_t>(static_cast<const char *>(found) - bytes.data());
      if (line.empty()) {
        whole(bytes.substr(0, end));
      } else {
        whole(line.append(bytes.substr(0, end)));
        line.clear();
      }
      bytes.remove_prefix(end + 1);
      if (bytes.empty()) return;
    }
    line.append(bytes);
  }
  void whole(std::string_view text) {
    if (text.starts_with("id: ")) {
      std::uint64_t id = 0;
      for (const char digit : text.substr(4)) id = id * 10 + static_cast<std::uint64_t>(digit - '0');
      if (last != 0) ++events;
      if (last != 0 && id != last + 1) ++gaps;
      last = id;
    } else if (text.starts_with("event: resync")) {
      ++resyncs;
    }
  }
};

/// Clients that watch, all read by one thread.
class Watchers {
public:
  explicit Watchers(std::uint16_t port) : port_(port) {}
  ~Watchers() { clear(); }

  void open(std::size_t count) {
    if (count == watchers_.size()) return;
    clear();
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::size_t i = 0; i < count; ++i) {
      watchers_.push_back(std::make_unique<Watcher>());
      Watcher &watcher = *watchers_.back();
      watcher.handle = connect_to(port_);
      send_all(watcher.handle, "GET /w/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
      while (watcher.last == 0) read(watcher); // the number that its events follow
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &watcher;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, watcher.handle, &event);
    }
    reading_ = true;
    thread_ = std::thread([this] { run(); });
  }
  void clear() {
    reading_ = false;
    if (thread_.joinable()) thread_.join();
    for (const auto &watcher : watchers_) ::close(watcher->handle);
    watchers_.clear();
    if (epoll_ >= 0) ::close(epoll_);
    epoll_ = -1;
    total_ = 0;
  }
  /// Waits until so many events have come, or none comes for some seconds.
  void await(std::uint64_t events) const {
    std::uint64_t before = 0;
    for (int quiet = 0; total_ < events && quiet < 100; ++quiet) {
      if (const std::uint64_t now = total_; now != before) before = now, quiet = 0;
      ::usleep(100'000);
    }
  }
  std::uint64_t total() const { return total_; }
  /// Ends the reading; what was counted stays.
  void stop() {
    reading_ = false;
    if (thread_.joinable()) thread_.join();
  }
  template <typename Of>
  std::uint64_t sum(Of of) const {
    std::uint64_t result = 0;
    for (const auto &watcher : watchers_) result += (*watcher).*of;
    return result;
  }

private:
  void read(Watcher &watcher) {
    const ssize_t count = ::recv(watcher.handle, buffer_.data(), buffer_.size(), 0);
    bench::require(count > 0, "a stream has ended");
    watcher.take({buffer_.data(), static_cast<std::size_t>(count)});
  }
  void run() {
    std::array<epoll_event, 256> events;
    while (reading_) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < count; ++i) {
        Watcher &watcher = *static_cast<Watcher *>(events[static_cast<std::size_t>(i)].data.ptr);
        const std::uint64_t before = watcher.events;
        read(watcher);
        total_ += watcher.events - before;
      }
    }
  }

  const std::uint16_t port_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  int epoll_ = -1;
  std::thread thread_;
  std::atomic<bool> reading_{false};
  std::atomic<std::uint64_t> total_{0};
  std::vector<char> buffer_ = std::vector<char>(256 * 1024);
};

class Putter {
public:
  explicit Putter(std::uint16_t port) : handle_(connect_to(port)) {}
  ~Putter() { ::close(handle_); }
  void put() {
    send_all(handle_, "PUT /w/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
    std::array<char, 4096> answer;
    std::size_t size = 0;
    do {
      const ssize_t count = ::recv(handle_, answer.data() + size, answer.size() - size, 0);
      bench::require(count > 0, "a put was not answered");
      size += static_cast<std::size_t>(count);
    } while (std::string_view(answer.data(), size).find("\r\n\r\n") == std::string_view::npos);
    bench::require(std::string_view(answer.data(), size).starts_with("HTTP/1.1 20"), "a put failed");
  }

private:
  const int handle_;
};

int soak(std::uint16_t port, std::size_t count, std::uint64_t events, double pace) {
  Watchers watchers(port);
  watchers.open(count);
  Putter putter(port);
  std::vector<double> times;
  times.reserve(events);
  const bench::Stopwatch watch;
  for (std::uint64_t i = 0; i < events; ++i) {
    if (pace > 0)
      for (double early; (early = static_cast<double>(i) / pace - watch.seconds()) > 0;)
        ::usleep(static_cast<useconds_t>(early * 1e6));
    const double before = watch.seconds();
    putter.put();
    times.push_back(watch.seconds() - before);
  }
  const double putting = watch.seconds();
  watchers.await(count * events);
  const double all = watch.seconds();
  watchers.stop();
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))] * 1e3;
  };
  const std::uint64_t gaps = watchers.sum(&Watcher::gaps), resyncs = watchers.sum(&Watcher::resyncs);
  std::printf(
      "{\"watchers\":%zu,\"puts\":%llu,\"delivered\":%llu,\"wanted\":%llu,\"gaps\":%llu,\"resyncs\":%llu,"
      "\"put_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f},\"seconds\":%.1f,\"until_all\":%.1f}\n",
      count, static_cast<unsigned long long>(events), static_cast<unsigned long long>(watchers.total()),
      static_cast<unsigned long long>(count * events), static_cast<unsigned long long>(gaps),
      static_cast<unsigned long long>(resyncs), at(0.5), at(0.99), at(0.999), at(1), putting, all);
  return gaps == 0 && resyncs == 0 && watchers.total() == count * events ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2 && (argc != 6 || std::string_view(argv[2]) != "soak")) {
    std::fputs("usage: bench_watches PORT [soak WATCHERS EVENTS PUTS_A_SECOND]\n", stderr);
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10));
  try {
    if (argc == 6)
      return soak(port, std::strtoul(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10),
                  std::strtod(argv[5], nullptr));
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
  Watchers watchers(port);
  Putter putter(port);
  std::map<std::string, bench::Task> tasks;
  for (const std::size_t count : {0, 16, 256, 1000})
    tasks["put." + std::to_string(count)] = [&, count](double seconds) {
      watchers.open(count);
      const std::uint64_t before = watchers.total();
      const bench::Result result = bench::repeat(seconds, 1, 1, [&] { putter.put(); });
      watchers.await(before + count * result.operations);
      bench::require(watchers.sum(&Watcher::gaps) == 0, "events were lost");
      return result;
    };
  return bench::serve(tasks);
}
