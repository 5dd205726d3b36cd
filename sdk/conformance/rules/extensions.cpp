// SPDX-License-Identifier: Apache-2.0
// The extensions of omnistore/ext/.
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <thread>

#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/lag.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

/// A call without a deadline, which keeps its message.
struct PlainCall : omnistore_call {
  std::string message;
  omnistore_context plain{};
  PlainCall() : omnistore_call{} {
    plain.size = sizeof plain;
    plain.cancelled = [](const omnistore_context *) noexcept -> std::uint32_t { return 0; };
    size = sizeof(omnistore_call);
    context = &plain;
    remaining = [](const omnistore_call *) noexcept -> std::int64_t { return INT64_MAX; };
    fail = [](omnistore_call *call, const omnistore_failure *failure) noexcept {
      static_cast<PlainCall *>(call)->message.assign(static_cast<const char *>(failure->message.data),
                                                     failure->message.size);
    };
  }
};

void is_well(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_health *>(store.extension(OMNISTORE_HEALTH));
  if (!table) throw Skipped("it has no omnistore.health/1");
  PlainCall call;
  const omnistore_status status = table->health(store.self(), &call);
  require(status == OMNISTORE_OK,
          "health of a store that works came to " + name_of(status) + " (" + call.message + ")");
}

/// A sink for the text of an extension.
struct TextSink : omnistore_sink {
  std::string text;
  int begun = 0;
  TextSink() : omnistore_sink{} {
    size = sizeof(omnistore_sink);
    begin = [](omnistore_sink *sink, const omnistore_meta *, void **buffer) noexcept -> omnistore_status {
      if (buffer) *buffer = nullptr;
      ++static_cast<TextSink *>(sink)->begun;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, std::uint64_t count) noexcept -> omnistore_status {
      static_cast<TextSink *>(sink)->text.append(static_cast<const char *>(data), count);
      return OMNISTORE_OK;
    };
  }
};

void explains(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_explain *>(store.extension(OMNISTORE_EXPLAIN));
  if (!table) throw Skipped("it has no omnistore.explain/1");
  if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("x"), "the value's own bytes");
  for (const std::string name : {"x", "missing"}) {
    TextSink sink;
    PlainCall call;
    const std::string key = bench.key(name);
    const omnistore_status status = table->explain(store.self(), &call, {key.data(), key.size()}, &sink);
    if (status == OMNISTORE_NOT_FOUND) {
      require(!sink.begun, "explain came to NOT_FOUND after begin");
      continue;
    }
    require(status == OMNISTORE_OK, "explain failed with " + name_of(status) + " (" + call.message + ")");
    require(sink.begun == 1 && sink.text.starts_with('{') && sink.text.ends_with('}') && sink.text.size() <= 65'536,
            "explain gave no JSON object of at most 64 KiB: " + shown(sink.text));
    require(sink.text.find("own bytes") == std::string::npos, "explain gave a part of the value");
  }
}

void stats_are_numbers(Bench &bench) {
  Store &store = bench.store();
  const auto *stats = static_cast<const omnistore_stats *>(store.extension(OMNISTORE_STATS));
  if (!stats) throw Skipped("it counts nothing of its own");
  store.get(bench.key("missing"));
  TextSink sink;
  PlainCall call;
  require(stats->stats(store.self(), &call, &sink) == OMNISTORE_OK, "stats failed: " + call.message);
  static const std::regex form(
      R"re(\{(\s*"(counters|gauges)"\s*:\s*\{(\s*"[a-z][a-z0-9_]*"\s*:\s*[0-9]+\s*,?)*\}\s*,?)*\s*\})re");
  require(sink.begun == 1 && std::regex_match(sink.text, form),
          "stats gave no object of counters and gauges: " + shown(sink.text));
}

void unchanged_is_told(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_revalidate *>(store.extension(OMNISTORE_REVALIDATE));
  if (!table) throw Skipped("it has no omnistore.revalidate/1");
  const std::string key = bench.key("r");
  put(store, key, "value");
  const GetResult found = store.stat(key, OMNISTORE_GET_META);
  if (!found.meta || found.known_meta().etag.empty()) throw Skipped("it gives no etag");
  const auto ask = [&](const std::string &etag, std::uint32_t &unchanged) {
    TextSink sink;
    PlainCall call;
    const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
    const omnistore_status status = table->get_changed(store.self(), &call, {key.data(), key.size()}, &request,
                                                       {etag.data(), etag.size()}, &sink, &unchanged);
    require(status == OMNISTORE_OK, "get_changed failed: " + call.message);
    require(sink.begun == 1, "get_changed began its sink " + std::to_string(sink.begun) + " times");
    return sink.text;
  };
  std::uint32_t unchanged = 7;
  require(ask(found.known_meta().etag, unchanged).empty() && unchanged == 1,
          "get_changed gave a value whose etag is the reader's");
  put(store, key, "other");
  unchanged = 7;
  require(ask(found.known_meta().etag, unchanged) == "other" && unchanged == 0,
          "get_changed did not give a value that has changed");
}

void validates(Bench &bench) {
  const omnistore_driver &driver = bench.driver();
  const auto *table = driver.extension
                          ? static_cast<const omnistore_validate *>(driver.extension(nullptr, OMNISTORE_VALIDATE))
                          : nullptr;
  if (!table) throw Skipped("it has no omnistore.validate/1");
  struct Problems : omnistore_problems {
    std::string text;
  } problems;
  problems.size = sizeof(omnistore_problems);
  problems.reserved = 0;
  problems.add = [](omnistore_problems *all, omnistore_bytes option, omnistore_bytes message) noexcept {
    auto &text = static_cast<Problems *>(all)->text;
    text.append(static_cast<const char *>(option.data), option.size).append(": ");
    text.append(static_cast<const char *>(message.data), message.size);
  };
  PlainCall call;
  const std::string &options = bench.options();
  const omnistore_status status =
      table->validate(&call, {options.data(), options.size()}, driver.min_children, &problems);
  require(status == OMNISTORE_OK, "validate failed for the options that it is opened with: " + call.message);
  require(problems.text.empty(), "validate finds a problem in the options that it is opened with: " + problems.text);
}

std::set<std::string> names_in(const std::string &text, std::map<std::string, std::uint64_t> *counters = nullptr) {
  static const std::regex member(R"re("(counters|gauges)"\s*:\s*\{([^}]*)\})re"),
      figure(R"re("([a-z0-9_]+)"\s*:\s*([0-9]+))re");
  std::set<std::string> names;
  for (auto kind = std::sregex_iterator(text.begin(), text.end(), member); kind != std::sregex_iterator(); ++kind) {
    const std::string inside = (*kind)[2];
    for (auto each = std::sregex_iterator(inside.begin(), inside.end(), figure); each != std::sregex_iterator();
         ++each) {
      require(names.insert((*each)[1]).second, "stats gives " + (*each)[1].str() + " twice: " + shown(text));
      if (counters && (*kind)[1] == "counters") (*counters)[(*each)[1]] = std::stoull((*each)[2]);
    }
  }
  return names;
}

void stats_are_steady(Bench &bench) {
  Store &store = bench.store();
  const auto *stats = static_cast<const omnistore_stats *>(store.extension(OMNISTORE_STATS));
  if (!stats) throw Skipped("it counts nothing of its own");
  std::set<std::string> first;
  std::map<std::string, std::uint64_t> before;
  for (int i = 0; i < 3; ++i) {
    TextSink sink;
    PlainCall call;
    require(stats->stats(store.self(), &call, &sink) == OMNISTORE_OK, "stats failed: " + call.message);
    std::map<std::string, std::uint64_t> counters;
    const std::set<std::string> names = names_in(sink.text, &counters);
    require(names.size() <= 32, "stats gives " + std::to_string(names.size()) + " names; 32 are the most");
    require(i == 0 || names == first, "stats gives other names than before: " + shown(sink.text));
    first = names;
    for (const auto &[name, count] : before)
      require(counters[name] >= count,
              "the counter " + name + " fell from " + std::to_string(count) + " to " + std::to_string(counters[name]));
    before = counters;
    if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("counted"), "value");
    store.get(bench.key("counted"));
    store.get(bench.key("missing"));
    store.try_list(bench.base());
    if (!store.can(OMNISTORE_READS_ONLY)) store.remove(bench.key("counted"));
  }
}

void explain_changes_nothing(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_explain *>(store.extension(OMNISTORE_EXPLAIN));
  if (!table) throw Skipped("it has no omnistore.explain/1");
  const std::string key = bench.key("x"), missing = bench.key("missing");
  put(store, key, "value");
  const GetResult before = store.stat(key, OMNISTORE_GET_META);
  for (const std::string &each : {key, missing, key}) {
    TextSink sink;
    PlainCall call;
    table->explain(store.self(), &call, {each.data(), each.size()}, &sink);
  }
  const GetResult after = store.stat(key, OMNISTORE_GET_META);
  expect_ok(after, "stat after explain");
  require(after.known_meta().etag == before.known_meta().etag &&
              after.known_meta().mtime == before.known_meta().mtime &&
              after.known_meta().expiry == before.known_meta().expiry,
          "explain changed the meta of the value");
  expect_value(store.get(key), "value", "get after explain");
  expect_none(store.get(missing), "get of a missing key after explain");
  expect_listed(store, bench.base(), {key}, "a listing after explain");
}

void lag_is_proof(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_lag *>(store.extension(OMNISTORE_LAG));
  if (!table) throw Skipped("it has no omnistore.lag/1");
  const std::unique_ptr<Watch> watch = store.watch(bench.key("l:"));
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 3; ++i) {
    const std::string key = bench.key("l:" + std::to_string(i));
    put(store, key, "value");
    const Clock::time_point acknowledged = Clock::now();
    const auto proved = [&] {
      const Clock::time_point now = Clock::now();
      const std::int64_t lag = table->lag(store.self(), watch->handle());
      require(lag >= 0, "a lag of " + std::to_string(lag) + " ms");
      return lag != OMNISTORE_LAG_UNKNOWN && now - acknowledged > std::chrono::milliseconds(lag + 1);
    };
    while (!proved()) {
      require(Clock::now() - acknowledged < Store::patience,
              "for " + std::to_string(Store::patience.count()) + " ms no proof came that the watch is complete");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const std::vector<Change> changes = watch->changes();
    require(std::any_of(changes.begin(), changes.end(),
                        [&](const Change &c) { return c.key == key || c.type == OMNISTORE_EVENT_RESYNC; }),
            "the lag says that the watch is complete, and a set before that moment was not reported");
  }
}

} // namespace

std::span<const Rule> extension_rules() {
  static constexpr Rule rules[] = {
      {"health", "Checks that the backend responds", for_readers, is_well},
      {"stats-numbers", "each an object of names to whole numbers that are not negative", for_readers,
       stats_are_numbers},
      {"stats-steady", "They are the same at each call, none is in both members, and there are at most 32 in all.",
       for_readers, stats_are_steady},
      {"revalidate", "it calls the sink's begin with the value's meta, writes no bytes, and sets *unchanged to 1", 0,
       unchanged_is_told},
      {"explain", "Writes one JSON object about the key to `sink`, as get writes a value", for_readers, explains},
      {"explain-changes-nothing", "It changes nothing and uses only what the store itself knows", 0,
       explain_changes_nothing},
      {"lag-proves", "every change that was acknowledged to its writer before that moment has been reported",
       OMNISTORE_WATCHES_OWN, lag_is_proof},
      {"validate", "Adds every problem of the options to `problems`, and returns OMNISTORE_OK", for_readers, validates},
  };
  return rules;
}

} // namespace omnistore::kit
