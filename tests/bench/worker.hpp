// SPDX-License-Identifier: Apache-2.0
// A benchmark program is a worker: it reads lines "TASK SECONDS" and writes one line of JSON for each. So its caller
// can let two workers, or two tasks of one, take turns.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <time.h>

namespace bench {

/// How much was done in how much measured time: by the clock, and of the processor by all threads of this process.
struct Result {
  std::uint64_t operations = 0;
  double seconds = 0;
  double processor = 0;
};

/// Takes the seconds that it should run for, about.
using Task = std::function<Result(double seconds)>;

class Stopwatch {
public:
  double seconds() const { return at(CLOCK_MONOTONIC) - start_; }
  void add_to(Result &result, std::uint64_t operations) const {
    result.operations += operations;
    result.seconds += seconds();
    result.processor += at(CLOCK_PROCESS_CPUTIME_ID) - processor_start_;
  }

private:
  static double at(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
  }

  double start_ = at(CLOCK_MONOTONIC);
  double processor_start_ = at(CLOCK_PROCESS_CPUTIME_ID);
};

/// Calls operation() again and again, `block` times between two looks at the clock; each call counts as `weight`.
template <class Operation>
Result repeat(double seconds, unsigned block, std::uint64_t weight, Operation &&operation) {
  Result result;
  std::uint64_t operations = 0;
  const Stopwatch watch;
  do {
    for (unsigned i = 0; i < block; ++i) operation();
    operations += block * weight;
  } while (watch.seconds() < seconds);
  watch.add_to(result, operations);
  return result;
}

/// Ends the program if the measured thing did not do its work: a figure would be a lie.
inline void require(bool holds, const char *what) {
  if (!holds) throw std::runtime_error(what);
}

/// "k:NN:NNNNNNNN", 13 bytes, spread over 256 bases; the node peers make the same.
inline std::string key(std::uint32_t number, const char *base = "k") {
  char text[64];
  std::snprintf(text, sizeof text, "%s:%02x:%08u", base, (number * 2654435761u) >> 24, number);
  return text;
}

/// A key in one of a hundred bases, p0 to p99.
inline std::string in_hundredth(std::size_t number) {
  return "p" + std::to_string(number % 100) + ":" + std::to_string(number);
}

/// `count` keys in random order, the same in every run.
inline std::vector<std::string> shuffled_keys(std::uint32_t count) {
  std::vector<std::string> keys;
  keys.reserve(count);
  std::vector<std::uint32_t> numbers(count);
  for (std::uint32_t i = 0; i < count; ++i) numbers[i] = i;
  std::mt19937 random(42);
  for (std::uint32_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  for (auto number : numbers) keys.push_back(key(number));
  return keys;
}

/// Text of `size` bytes that looks like no JSON.
inline std::string value(std::size_t size, std::uint32_t number) {
  std::string text(size, 'x');
  for (std::size_t i = 1; i < size; ++i) text[i] = static_cast<char>('a' + (number * 31 + i * 7) % 26);
  return text;
}

/// Goes round and round through 0 .. count - 1.
class Ring {
public:
  explicit Ring(std::size_t count) : count_(count) {}
  std::size_t next() {
    const auto now = at_;
    at_ = at_ + 1 == count_ ? 0 : at_ + 1;
    return now;
  }

private:
  std::size_t count_;
  std::size_t at_ = 0;
};

/// Threads and processes that start from now on run on this core. If there is no such core, nothing changes.
inline void run_on(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);
}

/// Measures single gets by many threads at once. Throws std::runtime_error if a get misses.
template <class Storage>
Result get_by_many(Storage &storage, const std::vector<std::string> &keys, unsigned threads, std::size_t value_size,
                   double seconds) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> done = 0, missed = 0;
  std::vector<std::thread> running;
  Result result;
  const Stopwatch watch;
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      std::string value;
      std::uint64_t own = 0;
      for (std::size_t at = i * 97; !stop; at += 31, ++own)
        if (!storage.get(keys[at % keys.size()], value) || value.size() != value_size) ++missed;
      done += own;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread &thread : running) thread.join();
  watch.add_to(result, done);
  require(missed == 0, "a miss");
  return result;
}

/// Serves lines until the input ends. Returns the exit code of the program.
inline int serve(const std::map<std::string, Task> &tasks) {
  std::string name;
  double seconds = 0;
  try {
    while (std::cin >> name >> seconds) {
      const auto task = tasks.find(name);
      if (task == tasks.end()) throw std::runtime_error("no task " + name);
      const Result result = task->second(seconds);
      std::printf("{\"operations\":%llu,\"seconds\":%.9f,\"processor\":%.9f}\n",
                  static_cast<unsigned long long>(result.operations), result.seconds, result.processor);
      std::fflush(stdout);
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

/// The main function of a program NAME KEYS: makes a Bench of so many keys, and serves its tasks.
template <class Bench>
int serve_keys(const char *name, int argc, char **argv,
               const std::map<std::string, Result (*)(Bench &, double)> &tasks) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s KEYS\n", name);
    return 2;
  }
  Bench bench(static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10)));
  std::map<std::string, Task> bound;
  for (const auto &[task, run] : tasks)
    bound.emplace(task, [run = run, &bench](double seconds) { return run(bench, seconds); });
  return serve(bound);
}

} // namespace bench
