// SPDX-License-Identifier: Apache-2.0
// Rules for every call: deadlines, messages, and the context that layers pass down.
#include <algorithm>
#include <deque>
#include <thread>

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
      throw Broken(std::string(function) + " returned " + shown(done) +
                   " after its deadline had passed; expected TIMEOUT");
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
          "get for a caller that went away returned " + shown(done) + "; expected CANCELLED");
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

/// Calls with contents that the driver must copy, whose memory is gone when it is used.
void copies_arguments(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("copied"), value = bytes_of(fitting(store, 5000));
  put(store, key, value);
  expect_value(store.get(key), value, "get of a value whose memory is gone since it was set");
  expect_listed(store, bench.base(), {key}, "a listing of a key whose memory is gone since it was set");
  if (!store.can(OMNISTORE_CAN_META)) return;
  put(store, key, value, {.user = "mine"});
  require(store.stat(key, OMNISTORE_GET_USER).known_meta().user == "mine",
          "stat gives other user meta than was set, whose memory is gone");
}

/// Makes one call of each kind. Each checks the thread of its callbacks.
void stays_on_thread(Bench &bench) { use_all(bench, Store::Structs::ours); }

void takes_unknown_values(Bench &bench) {
  Store &store = bench.store();
  store.use_unknown_values(true);
  use_all(bench, Store::Structs::ours);
  store.use_unknown_values(false);
}

void nothing_is_done(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("late");
  put(store, key, "old");
  store.allow_missing_messages();
  const auto too_late = [&](const char *function, const std::function<CallResult()> &call) {
    store.limit({0});
    const CallResult done = call();
    store.limit({});
    if (done.ok() || !done.nothing_done) return false;
    expect_value(store.get(key), "old", std::string("get after a ") + function + " of which nothing was done");
    return true;
  };
  const bool set = too_late("set", [&] { return store.set(key, "new"); });
  if (!set) put(store, key, "old");
  const bool removed = too_late("remove", [&] { return store.remove(key); });
  if (!set && !removed) throw Skipped("it never says so of a call whose deadline has passed");
}

/// A store below a child: a layer may look at it, and must not call it.
struct Below {
  omnistore_driver table{};
  omnistore_store face{};
  explicit Below(const omnistore_store &like) {
    table.size = sizeof table;
    table.name = "below";
    face = like;
    face.driver = &table;
    face.self = nullptr;
    face.children = nullptr;
    face.child_count = 0;
  }
};

void only_looks_below(Bench &bench) {
  if (!bench.is_layer()) throw Skipped("it is not a layer");
  if (!bench.subject().children) throw Skipped("it is a layer, and there is no store below it");
  const std::unique_ptr<Children> children = bench.subject().children(bench.folder(), bench.driver().min_children);
  std::deque<Below> below;
  std::deque<const omnistore_store *> first;
  std::deque<omnistore_store> faces;
  std::vector<const omnistore_store *> stores;
  for (const omnistore_store *each : children->stores()) {
    first.push_back(&below.emplace_back(*each).face);
    faces.push_back(*each);
    faces.back().children = &first.back();
    faces.back().child_count = 1;
    stores.push_back(&faces.back());
  }
  Store store(bench.driver(), bench.options(), stores); // a call of a store below is one of a null pointer
  if (!store.can(OMNISTORE_READS_ONLY)) store.set(bench.key("k"), "value");
  store.get(bench.key("k"));
  store.stat(bench.key("k"));
  store.try_list(bench.base());
  if (!store.can(OMNISTORE_READS_ONLY)) store.remove(bench.key("k"));
  store.close();
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
      {"messages-plain", "without a full stop at its end", for_readers, words_are_plain},
      {"arguments-copied", "valid until the function returns: copy what must live longer", 0, copies_arguments},
      {"calls-on-thread", "on the thread that the function was called on, and not after the function has returned", 0,
       stays_on_thread},
      {"values-unknown", "`flags` are open to new values", 0, takes_unknown_values},
      {"nothing-done", "the operation, or this item, changed nothing and will change nothing", 0, nothing_is_done},
      {"layer-looks-below", "A layer above looks only at their `driver->name`, `traits` and `children`", for_readers,
       only_looks_below},
  };
  return rules;
}

} // namespace omnistore::kit
