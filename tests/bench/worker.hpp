// SPDX-License-Identifier: Apache-2.0
// A benchmark program is a worker: it reads lines "TASK SECONDS" and answers each with one line of JSON. So the one
// who asks can let two workers, or two tasks of one, take turns.
#pragma once

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
#include <vector>

namespace bench {

/// How much was done in how much measured time.
struct Result {
  std::uint64_t operations = 0;
  double seconds = 0;
};

/// Takes the seconds that it should run for, about.
using Task = std::function<Result(double seconds)>;

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Calls operation() again and again, `block` times between two looks at the clock; each call counts as `weight`.
template <class Operation>
Result repeat(double seconds, unsigned block, std::uint64_t weight, Operation &&operation) {
  Result result;
  const auto start = std::chrono::steady_clock::now();
  do {
    for (unsigned i = 0; i < block; ++i) operation();
    result.operations += block * weight;
    result.seconds = seconds_since(start);
  } while (result.seconds < seconds);
  return result;
}

/// Ends the program where the thing that is measured did not do its work: a figure would be a lie.
inline void require(bool holds, const char *what) {
  if (!holds) throw std::runtime_error(what);
}

/// "k:NN:NNNNNNNN", 13 bytes, spread over 256 bases; the node peers make the same.
inline std::string key(std::uint32_t number, const char *base = "k") {
  char text[64];
  std::snprintf(text, sizeof text, "%s:%02x:%08u", base, (number * 2654435761u) >> 24, number);
  return text;
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

/// Answers lines until the input ends. The exit code of the program.
inline int serve(const std::map<std::string, Task> &tasks) {
  std::string name;
  double seconds = 0;
  try {
    while (std::cin >> name >> seconds) {
      const auto task = tasks.find(name);
      if (task == tasks.end()) throw std::runtime_error("no task " + name);
      const Result result = task->second(seconds);
      std::printf("{\"operations\":%llu,\"seconds\":%.9f}\n", static_cast<unsigned long long>(result.operations),
                  result.seconds);
      std::fflush(stdout);
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

} // namespace bench
