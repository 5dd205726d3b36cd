// SPDX-License-Identifier: Apache-2.0
// What every call promises: deadlines, messages, and what layers hand down.
#include <cctype>

#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

void too_late(Bench &bench) {
  Store &store = bench.store();
  const bool writes = !store.can(OMNISTORE_READS_ONLY);
  if (writes) put(store, bench.key("late"), "value");
  store.limit({0});
  store.need_no_messages();
  const auto soon = [&](const char *function, const std::function<Done()> &call) {
    const auto begun = std::chrono::steady_clock::now();
    const Done done = call();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    require(took < std::chrono::milliseconds(1000),
            std::string(function) + " took " + std::to_string(took.count()) + " ms after its deadline had passed");
    switch (done.status) {
    case OMNISTORE_OK:
    case OMNISTORE_NOT_FOUND:
    case OMNISTORE_TIMEOUT:
    case OMNISTORE_UNAVAILABLE:
      return;
    default:
      throw Broken(std::string(function) + " came to " + shown(done) +
                   " after its deadline had passed; TIMEOUT is right");
    }
  };
  soon("get", [&] { return store.get(bench.key("late")); });
  soon("stat", [&] { return store.stat(bench.key("late")); });
  soon("list", [&] { return store.list(bench.base()); });
  if (writes) {
    soon("set", [&] { return store.set(bench.key("late"), "other"); });
    soon("remove", [&] { return store.remove(bench.key("late")); });
    if (store.driver().clear) soon("clear", [&] { return store.clear(bench.key("late:")); });
    if (store.driver().get_many)
      soon("get_many", [&] { return store.get_many({bench.key("late"), bench.key("x")})[0]; });
  }
  store.limit({});
  if (writes) put(store, bench.key("late"), "in time");
}

void words_are_plain(Bench &bench) {
  Store &store = bench.store();
  const Page page = store.list(bench.base(), {.limit = 3, .cursor = "\x01 no cursor of this store \x02"});
  if (page.message.empty()) throw Skipped("nothing was found that it refuses");
  require(!page.message.ends_with('.') || page.message.ends_with(".."),
          "a message ends in a full stop: " + shown(page.message));
  require(page.message.find('\n') == std::string::npos, "a message has more than one line: " + shown(page.message));
  require(page.message.size() < 4096, "a message of " + std::to_string(page.message.size()) + " bytes");
}

/// A sink that takes what an extension gives.
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

struct PlainCall : omnistore_call {
  std::string message;
  PlainCall() : omnistore_call{} {
    size = sizeof(omnistore_call);
    remaining = [](const omnistore_call *) noexcept -> std::int64_t { return INT64_MAX; };
    fail = [](omnistore_call *call, std::uint32_t, omnistore_bytes text) noexcept {
      static_cast<PlainCall *>(call)->message.assign(static_cast<const char *>(text.data), text.size);
    };
  }
};

void stats_are_numbers(Bench &bench) {
  Store &store = bench.store();
  const auto *stats = static_cast<const omnistore_stats *>(store.extension(OMNISTORE_STATS));
  if (!stats) throw Skipped("it counts nothing of its own");
  store.get(bench.key("missing"));
  TextSink sink;
  PlainCall call;
  require(stats->stats(store.self(), &call, &sink) == OMNISTORE_OK, "stats failed: " + call.message);
  require(sink.begun == 1 && sink.text.starts_with('{') && sink.text.ends_with('}'),
          "stats gave no JSON object: " + shown(sink.text));
}

void unchanged_is_told(Bench &bench) {
  Store &store = bench.store();
  const auto *table = static_cast<const omnistore_revalidate *>(store.extension(OMNISTORE_REVALIDATE));
  if (!table) throw Skipped("it has no omnistore.revalidate/1");
  const std::string key = bench.key("r");
  put(store, key, "value");
  const Got found = store.stat(key, OMNISTORE_GET_META);
  if (!found.meta || found.told().etag.empty()) throw Skipped("it gives no etag");
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
  require(ask(found.told().etag, unchanged).empty() && unchanged == 1,
          "get_changed gave a value whose etag is the reader's");
  put(store, key, "other");
  unchanged = 7;
  require(ask(found.told().etag, unchanged) == "other" && unchanged == 0,
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

} // namespace

std::span<const Rule> call_rules() {
  static constexpr Rule rules[] = {
      {"deadline-passed", "asks from time to time, and returns OMNISTORE_TIMEOUT at 0", for_readers, too_late},
      {"messages-plain", "without a full stop at its end", for_readers, words_are_plain},
      {"stats-numbers", "Gives one JSON object of names to whole numbers", for_readers, stats_are_numbers},
      {"revalidate", "where the value's etag is `etag` (not empty), as meta gave it, the value is not given out", 0,
       unchanged_is_told},
      {"validate", "Gives every problem of the options to `problems`, and returns OMNISTORE_OK", for_readers,
       validates},
  };
  return rules;
}

} // namespace omnistore::kit
