// SPDX-License-Identifier: Apache-2.0
// Opening and closing, and the resources after them.
#include <future>

#include "census.hpp"
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// Makes one call of each kind, so that the driver starts everything that it starts on use.
void use(Bench &bench, Store &store) {
  if (!store.can(OMNISTORE_READS_ONLY)) {
    put(store, bench.key("used"), "value");
    store.get(bench.key("used"));
    store.set(bench.key("used"), "other", {.expiry = store.can(OMNISTORE_CAN_TTL) ? KitHost::time() + 60'000 : 0});
  }
  store.get(bench.key("missing"));
  store.stat(bench.key("missing"));
  store.try_list(bench.base());
  if (!store.can(OMNISTORE_READS_ONLY)) store.remove(bench.key("used"));
}

void opens_and_closes(Bench &bench) {
  for (int i = 0; i < 3; ++i) {
    bench.store();
    bench.close();
  }
}

void opens_at_once(Bench &bench) {
  Store &one = bench.store();
  const std::unique_ptr<Store> two = bench.another();
  use(bench, one);
  use(bench, *two);
  two->close();
  use(bench, one);
}

void close_leaves_nothing(Bench &bench) {
  use(bench, bench.store()); // resources that are made once for the process
  bench.close();
  const Census before = Census::take();
  use(bench, bench.store());
  bench.close();
  before.compare("close");
}

void close_with_a_watch_ended(Bench &bench) {
  Store &store = bench.store();
  store.watch(bench.base())->end();
  bench.close();
  const Census before = Census::take();
  bench.store().watch(bench.base())->end();
  bench.close();
  before.compare("unwatch and close");
}

void memory_is_freed(Bench &bench) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  throw Skipped("a sanitizer counts memory in its own way");
#endif
  const auto once = [&] {
    Store &store = bench.store();
    use(bench, store);
    if (!store.can(OMNISTORE_READS_ONLY))
      for (int i = 0; i < 4; ++i) put(store, bench.key("m" + std::to_string(i)), bytes_of(1000));
    if (!store.can(OMNISTORE_READS_ONLY))
      for (int i = 0; i < 4; ++i) store.remove(bench.key("m" + std::to_string(i)));
    bench.close();
  };
  // Memory that is allocated once for the process, such as an allocator's arenas, stops growing; a leak does not.
  std::size_t left = 0;
  constexpr std::size_t rounds = 8;
  for (int window = 0; window < 4; ++window) {
    const std::size_t before = allocated();
    // Malloc counts what a thread has freed and still caches as allocated. The cache ends with its thread.
    std::async(std::launch::async, [&] {
      for (std::size_t i = 0; i < rounds; ++i) once();
    }).get();
    const std::size_t after = allocated();
    left = after > before ? after - before : 0;
    if (left < rounds * 512) return;
  }
  throw Broken(std::to_string(rounds) + " times open, use and close left " + std::to_string(left) + " bytes allocated");
}

void failed_open_undoes(Bench &bench) {
  const omnistore_driver &driver = bench.driver();
  if (!driver.options_schema) throw Skipped("it takes no options that could be wrong");
  std::vector<const omnistore_store *> none;
  std::unique_ptr<Children> children = bench.subject().children && bench.is_layer()
                                           ? bench.subject().children(bench.folder(), driver.min_children)
                                           : std::unique_ptr<Children>();
  if (children) none = children->stores();
  const auto try_once = [&] {
    try {
      Store store(driver, "[not an object", none);
    } catch (const Broken &broken) {
      const std::string text = broken.what();
      require(text.find("()") == text.npos, "a failed open gave no message: " + text);
      return;
    }
    throw Skipped("it opens whatever its options are, which a host has checked");
  };
  try_once();
  const Census before = Census::take();
  for (int i = 0; i < 3; ++i) try_once();
  before.compare("a failed open");
}

} // namespace

std::span<const Rule> opening_rules() {
  static constexpr Rule rules[] = {
      {"open-close", "Opens a store.", for_readers, opens_and_closes},
      {"open-at-once", "One driver may be opened any number of times, also at once: keep no globals.", for_readers,
       opens_at_once},
      {"open-failed",
       "On failure the driver undoes everything, `close` is not called, and the message says what is wrong",
       for_readers, failed_open_undoes},
      {"close-clean", "frees everything, joins every thread", for_readers, close_leaves_nothing},
      {"close-after-watch", "Every watch is ended before `close`.", for_readers, close_with_a_watch_ended},
      {"close-frees-memory", "Closes the store: writes out what must be kept, frees everything", for_readers,
       memory_is_freed},
  };
  return rules;
}

} // namespace omnistore::kit
