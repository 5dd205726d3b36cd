// SPDX-License-Identifier: Apache-2.0
// Rules for every call: deadlines, messages, and the context that layers pass down.
#include <algorithm>
#include <deque>
#include <regex>
#include <thread>

#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
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
  store.allow_missing_messages();
  const auto soon = [&](const char *function, const std::function<CallResult()> &call) {
    const auto begun = std::chrono::steady_clock::now();
    const CallResult done = call();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    require(took < std::chrono::milliseconds(1000),
            std::string(function) + " took " + std::to_string(took.count()) + " ms after its deadline had passed");
    switch (done.status) {
    case OMNISTORE_OK:
    case OMNISTORE_NOT_FOUND:
    case OMNISTORE_TIMEOUT:
    case OMNISTORE_CANCELLED:
    case OMNISTORE_UNAVAILABLE:
      return;
    default:
      throw Broken(std::string(function) + " came to " + shown(done) +
                   " after its deadline had passed; TIMEOUT is right");
    }
  };
  soon("get", [&] { return store.get(bench.key("late")); });
  soon("stat", [&] { return store.stat(bench.key("late")); });
  if (store.lists()) soon("list", [&] { return store.list(bench.base()); });
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

/// Makes one call of each kind with structs of other sizes than in the driver's header.
void use_all(Bench &bench, Store::Structs structs) {
  Store &store = bench.store();
  store.use_structs(structs);
  const std::string key = bench.key("k");
  put(store, key, "value");
  expect_value(store.get(key), "value", "get");
  expect_value(store.get(key, {.into = {.buffer = true}}), "value", "get into a buffer");
  expect_ok(store.stat(key, OMNISTORE_GET_META), "stat");
  put(store, bench.key("f:long"), bytes_of(fitting(store, 2'000'000)));
  expect_value(store.get(bench.key("f:long")), bytes_of(fitting(store, 2'000'000)), "get of a long value");
  if (store.can(OMNISTORE_CAN_TTL)) put(store, key, "value", {.expiry = KitHost::time() + 60'000});
  if (store.can(OMNISTORE_CAN_TTL) && store.driver().touch) expect_ok(store.touch(key, 0), "touch");
  if (store.can(OMNISTORE_CAN_IF_ABSENT))
    expect(store.set(key, "other", {.condition = OMNISTORE_IF_ABSENT}), OMNISTORE_CONFLICT, "set if absent");
  if (store.driver().set_many && store.traits().max_batch != 1)
    for (const CallResult &each : store.set_many({{bench.key("m"), "1"}, {bench.key("n"), "2"}}))
      expect_ok(each, "set_many");
  if (store.driver().get_many) expect_value(store.get_many({key})[0], "value", "get_many");
  if (store.can(OMNISTORE_CAN_META))
    require(store.stat(key, OMNISTORE_GET_USER).known_meta().user.empty(), "a value has user meta that nobody set");
  if (store.lists()) require(!store.keys(bench.base(), 1).empty(), "a listing gives nothing");
  if (store.driver().clear) expect_ok(store.clear(bench.key("f:")), "clear");
  expect_ok(store.remove(key), "remove");
  store.use_structs(Store::Structs::ours);
}
void takes_longer(Bench &bench) { use_all(bench, Store::Structs::longer); }
void takes_shorter(Bench &bench) { use_all(bench, Store::Structs::shorter); }

void cancelled(Bench &bench) {
  Store &store = bench.store();
  store.limit({0, true});
  store.allow_missing_messages();
  const CallResult done = store.get(bench.key("missing"));
  require(done.status == OMNISTORE_NOT_FOUND || done.status == OMNISTORE_CANCELLED ||
              done.status == OMNISTORE_TIMEOUT || done.status == OMNISTORE_UNAVAILABLE,
          "get for a caller that went away came to " + shown(done) + "; CANCELLED is right");
  store.limit({});
  expect_none(store.get(bench.key("missing")), "get after one for a caller that went away");
}

/// A child that records its calls, on the thread of the test.
struct Noting {
  omnistore_store face{};
  omnistore_driver table{};
  const omnistore_store *real = nullptr;
  std::thread::id thread = std::this_thread::get_id();
  std::vector<const omnistore_context *> contexts{};
  std::int64_t longest = 0; ///< the largest remaining time of a call

  explicit Noting(const omnistore_store *store) : real(store) {
    table = *store->driver;
    table.get = [](void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                   omnistore_sink *sink) noexcept {
      Noting &me = of(self, call);
      return me.real->driver->get(me.real->self, call, key, request, sink);
    };
    table.stat = [](void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                    omnistore_sink *sink) noexcept {
      Noting &me = of(self, call);
      return me.real->driver->stat(me.real->self, call, key, request, sink);
    };
    table.set = [](void *self, omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                   omnistore_sink *result) noexcept {
      Noting &me = of(self, call);
      return me.real->driver->set(me.real->self, call, key, request, result);
    };
    forward();
    face = *store;
    face.driver = &table;
    face.self = this;
  }
  void forward();

  static Noting &of(void *self, omnistore_call *call) {
    Noting &me = *static_cast<Noting *>(self);
    if (call && std::this_thread::get_id() == me.thread) {
      me.contexts.push_back(call->context);
      me.longest = std::max(me.longest, call->remaining(call));
    }
    return me;
  }
};

void Noting::forward() {
  table.remove = [](void *self, omnistore_call *call, omnistore_bytes key,
                    const omnistore_remove_request *request) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->remove(me.real->self, call, key, request);
  };
  table.list = [](void *self, omnistore_call *call, const omnistore_list_request *request,
                  omnistore_page *page) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->list(me.real->self, call, request, page);
  };
  table.clear = [](void *self, omnistore_call *call, const omnistore_clear_request *request,
                   omnistore_page *removed) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->clear(me.real->self, call, request, removed);
  };
  table.get_many = [](void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                      const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                      omnistore_status *statuses) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->get_many(me.real->self, call, keys, count, requests, sinks, statuses);
  };
  table.stat_many = [](void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                       const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                       omnistore_status *statuses) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->stat_many(me.real->self, call, keys, count, requests, sinks, statuses);
  };
  table.set_many = [](void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                      const omnistore_set_request *const *requests, omnistore_sink *const *results,
                      omnistore_status *statuses) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->set_many(me.real->self, call, keys, count, requests, results, statuses);
  };
  table.remove_many = [](void *self, omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count,
                         const omnistore_remove_request *const *requests, omnistore_status *statuses) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->remove_many(me.real->self, call, keys, count, requests, statuses);
  };
  table.touch = [](void *self, omnistore_call *call, omnistore_bytes key,
                   const omnistore_touch_request *request) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->touch(me.real->self, call, key, request);
  };
  table.watch = [](void *self, omnistore_call *call, const omnistore_watch_request *request, omnistore_watcher *watcher,
                   void **watch) noexcept {
    Noting &me = of(self, call);
    return me.real->driver->watch(me.real->self, call, request, watcher, watch);
  };
  table.unwatch = [](void *self, void *watch) noexcept {
    Noting &me = of(self, nullptr);
    me.real->driver->unwatch(me.real->self, watch);
  };
  table.extension = [](void *, const char *) noexcept -> const void * { return nullptr; };
}

void layers_hand_down(Bench &bench) {
  if (!bench.is_layer()) throw Skipped("it is not a layer");
  if (!bench.subject().children) throw Skipped("it is a layer, and there is no store below it");
  const std::unique_ptr<Children> children = bench.subject().children(bench.folder(), bench.driver().min_children);
  std::deque<Noting> noting;
  std::vector<const omnistore_store *> stores;
  for (const omnistore_store *each : children->stores()) stores.push_back(&noting.emplace_back(each).face);
  Store store(bench.driver(), bench.options(), stores);
  constexpr std::int64_t left = 4321;
  store.limit({left});
  const auto check = [&](const char *function, const std::function<CallResult()> &call) {
    for (Noting &each : noting) {
      each.contexts.clear();
      each.longest = 0;
    }
    const CallResult done = call();
    for (const Noting &each : noting) {
      for (const omnistore_context *context : each.contexts)
        require(context == store.last_context(), std::string(function) + " called a child with a context of its own");
      require(each.longest <= left, std::string(function) + " gave a child more time than it had itself");
    }
  };
  check("set", [&] { return store.set(bench.key("k"), "value"); });
  check("get", [&] { return store.get(bench.key("k")); });
  check("stat", [&] { return store.stat(bench.key("k"), OMNISTORE_GET_META); });
  check("list", [&] { return store.try_list(bench.base()); });
  check("remove", [&] { return store.remove(bench.key("k")); });
  check("get of a missing key", [&] { return store.get(bench.key("k")); });
  if (store.driver().get_many) check("get_many", [&] { return store.get_many({bench.key("a"), bench.key("b")})[0]; });
  if (store.driver().set_many) check("set_many", [&] { return store.set_many({{bench.key("a"), "1"}})[0]; });
  if (store.driver().clear) check("clear", [&] { return store.clear(bench.base()); });
  store.close();
}

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

} // namespace

std::span<const Rule> call_rules() {
  static constexpr Rule rules[] = {
      {"deadline-passed", "A function that waits or works for long checks this from time to time.", for_readers,
       too_late},
      {"cancelled", "if context->cancelled says so, else OMNISTORE_TIMEOUT", for_readers, cancelled},
      {"structs-longer", "The side that reads takes a field whose end lies beyond `size` as zero", 0, takes_longer},
      {"structs-shorter", "The side that reads takes a field whose end lies beyond `size` as zero", 0, takes_shorter},
      {"layer-hands-down", "every layer passes it down unchanged", for_readers, layers_hand_down},
      {"health", "Checks that the backend responds", for_readers, is_well},
      {"messages-plain", "without a full stop at its end", for_readers, words_are_plain},
      {"stats-numbers", "each an object of names to whole numbers that are not negative", for_readers,
       stats_are_numbers},
      {"revalidate", "it calls the sink's begin with the value's meta, writes no bytes, and sets *unchanged to 1", 0,
       unchanged_is_told},
      {"explain", "Writes one JSON object about the key to `sink`, as get writes a value", for_readers, explains},
      {"validate", "Adds every problem of the options to `problems`, and returns OMNISTORE_OK", for_readers, validates},
  };
  return rules;
}

} // namespace omnistore::kit
