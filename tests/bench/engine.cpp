// SPDX-License-Identifier: Apache-2.0
// bench_engine ENGINE KEYS: the memory driver by its C table alone, without a host, in one of four builds: with its own
// table and index (`own`), or with a library's in the place of one of them (engines/). Locks, shards and the memory
// that entries lie in are the same in all four. A process runs one engine, so that each has its own resident memory.
#include <fstream>

#include <unistd.h>

#include <omnistore/testing.hpp>

#include "worker.hpp"

namespace {

constexpr std::size_t value_size = 100, other_size = 160, batch = 100;

struct Bench {
  explicit Bench(std::uint32_t count) : keys(bench::shuffled_keys(count)), visited(keys), at(count) {
    for (std::uint32_t i = 0; i < 1024; ++i) {
      values.push_back(bench::value(value_size, i));
      others.push_back(bench::value(other_size, i));
    }
    std::mt19937 random(7);
    for (std::size_t i = visited.size(); i > 1; --i) std::swap(visited[i - 1], visited[random() % i]);
  }
  const std::string &some_key() { return visited[at.next()]; }

  std::vector<std::string> keys;    // in the order of storing
  std::vector<std::string> visited; // in the order of visiting
  std::vector<std::string> values, others;
  bench::Ring at;
  std::size_t turn = 0;
  double bytes_a_key = 0;
};

std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t whole = 0, pages = 0;
  file >> whole >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// Takes a value into memory of its own, like a reader.
struct CopyingSink : omnistore_sink {
  std::size_t size = 0;
  char room[256];

  CopyingSink() : omnistore_sink{sizeof(omnistore_sink), 0, &begin_, &write_, nullptr} {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *, void **buffer) noexcept {
    if (buffer) *buffer = static_cast<CopyingSink *>(sink)->room;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *, std::uint64_t count) noexcept {
    static_cast<CopyingSink *>(sink)->size = count;
    return OMNISTORE_OK;
  }
};

void fill(Bench &bench, omnistore::Child store) {
  omnistore::testing::BareCall call;
  for (const std::string &key : bench.keys)
    bench::require(store.write(omnistore::Call(&call), key, bench.values[bench.turn++ & 1023]) == OMNISTORE_OK,
                   "a set failed");
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: bench_engine own|map|tree|heads KEYS\n", stderr);
    return 2;
  }
  const std::string engine = argv[1];
  const omnistore::testing::Library library(engine == "own" ? OMNISTORE_PLUGINS "/memory.so"
                                                            : OMNISTORE_ENGINES "/engine-" + engine + "/memory.so");
  Bench bench(static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
  const std::size_t before = resident();
  omnistore::testing::BareStore store(library.driver());
  omnistore::testing::BareCall call;
  const omnistore::Child child = store.child();

  const auto set = [&](const std::vector<std::string> &values) {
    bench::require(child.write(omnistore::Call(&call), bench.some_key(), values[bench.turn++ & 1023]) == OMNISTORE_OK,
                   "a set failed");
  };
  return bench::serve({
      {"load",
       [&](double) {
         fill(bench, child);
         bench.bytes_a_key = static_cast<double>(resident() - before) / static_cast<double>(bench.keys.size());
         return bench::Result{};
       }},
      // Keys a byte, so that the ratio of two engines is that of all other rows: more is better.
      {"resident",
       [&](double) {
         return bench::Result{1'000'000, 1e6 * bench.bytes_a_key, 1e6 * bench.bytes_a_key};
       }},
      {"get",
       [&](double seconds) {
         return bench::repeat(seconds, 64, 1, [&] {
           CopyingSink sink;
           const omnistore_get_request whole{sizeof whole, 0, 0, UINT64_MAX};
           bench::require(child.get(omnistore::Call(&call), bench.some_key(), whole, sink) == OMNISTORE_OK &&
                              sink.size >= value_size,
                          "a miss");
         });
       }},
      {"batch-get",
       [&](double seconds) {
         const omnistore_get_request whole{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};
         const std::vector<const omnistore_get_request *> requests(batch, &whole);
         std::vector<omnistore_bytes> keys_(batch);
         std::vector<omnistore_status> statuses(batch);
         std::vector<CopyingSink> sinks(batch);
         std::vector<omnistore_sink *> pointers;
         for (CopyingSink &sink : sinks) pointers.push_back(&sink);
         return bench::repeat(seconds, 1, batch, [&] {
           for (omnistore_bytes &key : keys_) key = omnistore::as_bytes(bench.some_key());
           bench::require(child.get_many(omnistore::Call(&call), keys_, requests.data(), pointers.data(),
                                         statuses.data()) == OMNISTORE_OK &&
                              statuses == std::vector<omnistore_status>(batch, OMNISTORE_OK),
                          "a miss");
         });
       }},
      {"set-over", [&](double seconds) { return bench::repeat(seconds, 64, 1, [&] { set(bench.values); }); }},
      // Values of two sizes in turn, so that each set puts another entry in the place of the old one.
      {"set-other",
       [&](double seconds) {
         bool other = false;
         const bench::Result result = bench::repeat(seconds, 1, bench.keys.size() / 10, [&] {
           other = !other;
           const std::size_t begin = bench.turn % bench.keys.size();
           for (std::size_t i = 0; i < bench.keys.size() / 10; ++i) {
             const std::string &key = bench.visited[(begin + i) % bench.visited.size()];
             const std::string &value = (other ? bench.others : bench.values)[i & 1023];
             bench::require(child.write(omnistore::Call(&call), key, value) == OMNISTORE_OK, "a set failed");
           }
         });
         return result;
       }},
      {"set-new",
       [&](double seconds) {
         bench::Result result;
         while (result.seconds < seconds) {
           omnistore::testing::BareStore fresh(library.driver());
           const bench::Stopwatch watch;
           fill(bench, fresh.child());
           watch.add_to(result, bench.keys.size());
         }
         return result;
       }},
      {"list",
       [&](double seconds) {
         return bench::repeat(seconds, 1, bench.keys.size(), [&] {
           std::size_t count = 0;
           omnistore::PageSink page([&](std::string_view, const omnistore_meta *) -> omnistore_status {
             ++count;
             return OMNISTORE_OK;
           });
           std::string cursor;
           do {
             cursor = std::exchange(page.cursor, {});
             const omnistore_list_request request{
                 sizeof request, 0, {nullptr, 0}, OMNISTORE_ANY_DEPTH, 1000, omnistore::as_bytes(cursor), {}, {}};
             bench::require(child.list(omnistore::Call(&call), request, page) == OMNISTORE_OK, "a listing failed");
           } while (!page.cursor.empty());
           bench::require(count == bench.keys.size(), "keys are missing");
         });
       }},
  });
}
