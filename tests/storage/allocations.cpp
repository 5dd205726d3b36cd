// SPDX-License-Identifier: Apache-2.0
// Each callback of the host, with its n-th allocation failing, for every n. No exception may come out of one: a
// driver's frames lie between.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <new>

#include "fixture.hpp"
#include "puppet.hpp"

namespace {

constinit thread_local long allocations_left = -1; ///< before one fails; negative: none fails

void *allocate(std::size_t size) {
  if (allocations_left == 0) throw std::bad_alloc(); // and all after it, as when memory has run out
  if (allocations_left > 0) --allocations_left;
  if (void *at = std::malloc(size ? size : 1)) return at;
  throw std::bad_alloc();
}

} // namespace

void *operator new(std::size_t size) { return allocate(size); }
void *operator new[](std::size_t size) { return allocate(size); }
void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return std::malloc(size); } // Catch's
void operator delete(void *at) noexcept { std::free(at); }
void operator delete[](void *at) noexcept { std::free(at); }
void operator delete(void *at, std::size_t) noexcept { std::free(at); }
void operator delete[](void *at, std::size_t) noexcept { std::free(at); }

using omnistore::Status;
using omnistore::Storage;
using test::Puppet;

namespace {

const std::string long_key = "a:key:that:fits:into:no:small:string:" + std::string(200, 'k');
const std::string long_text(5000, 't');
const std::string cursor(100, 'c');
constexpr long most = 200;

/// How many allocations the callback of a driver may do, and whether an exception came out of it.
struct Failing {
  long after = -1;
  bool thrown = false;
  bool reached = false; ///< an allocation failed

  template <typename Callback>
  auto operator()(Callback callback) -> decltype(callback()) {
    allocations_left = after;
    const auto disarm = [this] {
      reached = allocations_left == 0;
      allocations_left = -1;
    };
    try {
      if constexpr (std::is_void_v<decltype(callback())>) {
        callback();
        disarm();
      } else {
        const auto result = callback();
        disarm();
        return result;
      }
    } catch (...) {
      disarm();
      thrown = true;
      if constexpr (!std::is_void_v<decltype(callback())>) return OMNISTORE_INTERNAL;
    }
  }
};

/// Runs an operation with the n-th allocation in its callback failing, until one run needs no more.
template <typename Operation>
void every_allocation(Failing &failing, Operation operation) {
  for (failing.after = 0; failing.after < most; ++failing.after) {
    failing.reached = failing.thrown = false;
    operation();
    INFO("allocation " << failing.after);
    REQUIRE_FALSE(failing.thrown);
    if (!failing.reached) return;
  }
  FAIL("the callback never came to its end");
}

/// Runs an operation, whose failure is expected. An exception of a source comes back unchanged.
template <typename Operation>
Status quietly(Operation operation) {
  try {
    return test::status_of(operation);
  } catch (const std::bad_alloc &) {
    return Status::no_space;
  }
}

omnistore_meta rich_meta(std::uint64_t size) {
  omnistore_meta meta = test::meta_of_size(size);
  static const std::string etag(40, 'e'), user = R"({"user":")" + std::string(300, 'u') + "\"}";
  meta.etag = test::bytes(etag);
  meta.user = test::bytes(user);
  return meta;
}

} // namespace

TEST_CASE("no exception leaves the sink of a read") {
  Puppet puppet;
  Failing failing;
  const bool sized = GENERATE(true, false);
  puppet.get = puppet.stat = [&](omnistore_call *, std::string_view, const omnistore_get_request &,
                                 omnistore_sink *sink) -> omnistore_status {
    const omnistore_meta meta = rich_meta(sized ? long_text.size() : OMNISTORE_UNKNOWN_SIZE);
    return failing([&] {
      void *buffer = nullptr;
      const omnistore_status status = sink->begin(sink, &meta, &buffer);
      return status == OMNISTORE_OK ? sink->write(sink, long_text.data(), long_text.size()) : status;
    });
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  every_allocation(failing, [&] { quietly([&] { storage.get(long_key); }); });
  every_allocation(failing, [&] { quietly([&] { storage.entry(long_key); }); });
  every_allocation(failing, [&] { quietly([&] { storage.meta(long_key); }); });
  every_allocation(failing, [&] { quietly([&] { storage.get_many(std::vector<std::string>{long_key}); }); });
  every_allocation(failing, [&] { quietly([&] { storage.explain(long_key, {}); }); });
}

TEST_CASE("no exception leaves a call with a message") {
  Puppet puppet;
  Failing failing;
  puppet.get = [&](omnistore_call *call, std::string_view, const omnistore_get_request &,
                   omnistore_sink *) -> omnistore_status {
    return failing([&] {
      const omnistore_failure failure{sizeof failure, 0, test::bytes(long_text), 0, 0, 0};
      return call->fail(call, &failure), OMNISTORE_IO;
    });
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  every_allocation(failing, [&] { CHECK(quietly([&] { storage.get(long_key); }) == Status::io); });
  every_allocation(failing, [&] { quietly([&] { storage.get_many(std::vector<std::string>{long_key}); }); });
  every_allocation(failing, [&] { quietly([&] { storage.explain(long_key, {}); }); });
}

TEST_CASE("no exception leaves the page of a listing or a clear") {
  Puppet puppet;
  Failing failing;
  puppet.traits.order = GENERATE(OMNISTORE_ORDER_NONE, OMNISTORE_ORDER_KEYS);
  puppet.list = [&](omnistore_call *, const omnistore_list_request &, omnistore_page *page) -> omnistore_status {
    const omnistore_meta meta = rich_meta(5);
    return failing([&] {
      for (int i = 0; i < 2; ++i) page->emit(page, test::bytes(long_key), &meta);
      page->emit(page, test::bytes("b"), &meta);
      page->emit(page, test::bytes("not::a key"), &meta);
      page->next(page, test::bytes(cursor));
      return OMNISTORE_OK;
    });
  };
  puppet.clear = [&](omnistore_call *, std::string_view, omnistore_page *page) -> omnistore_status {
    return failing([&] { return page->emit(page, test::bytes(long_key), nullptr); });
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  omnistore::ListOptions options;
  options.meta = GENERATE(false, true);
  every_allocation(failing, [&] { quietly([&] { storage.list("", options); }); });
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  every_allocation(failing, [&] { quietly([&] { storage.clear(""); }); });
}

TEST_CASE("no exception leaves the services that a store is given") {
  Puppet puppet;
  Failing failing;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  every_allocation(failing,
                   [&] { failing([&] { puppet.host->log(puppet.host, OMNISTORE_LOG_WARN, test::bytes(cursor)); }); });
  every_allocation(failing, [&] {
    const omnistore_event event{
        sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EVICTED, 0, test::bytes(long_key), 0};
    failing([&] { puppet.host->event(puppet.host, &event); });
  });
  every_allocation(failing, [&] {
    failing([&] {
      return puppet.host->submit(
          puppet.host, [](void *, omnistore_call *) {}, nullptr, 0, 0);
    });
  });
}

TEST_CASE("no exception leaves a watcher") {
  Puppet puppet;
  Failing failing;
  omnistore_watcher *const &watcher = puppet.accept_watches();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  REQUIRE(watcher);
  const std::uint32_t type = GENERATE(OMNISTORE_EVENT_UPDATE, OMNISTORE_EVENT_RESYNC);
  const omnistore_event event{sizeof event, type, 0, 0, test::bytes(long_key), 0};
  every_allocation(failing, [&] { failing([&] { watcher->event(watcher, &event); }); });
}

TEST_CASE("no exception leaves the source of a streamed value") {
  struct Letters : omnistore::Source {
    std::size_t read(char *buffer, std::size_t capacity) override {
      if (given++ > 2) throw omnistore::Error(Status::unavailable, std::string(300, 'x'));
      std::fill_n(buffer, std::min<std::size_t>(capacity, 10), 'l');
      return std::min<std::size_t>(capacity, 10);
    }
    int given = 0;
  };
  Puppet puppet;
  Failing failing;
  puppet.set = [&](omnistore_call *, std::string_view, const omnistore_set_request &request,
                   omnistore_sink *) -> omnistore_status {
    return failing([&]() -> omnistore_status {
      char buffer[64];
      std::uint64_t read = 1;
      omnistore_status status = OMNISTORE_OK;
      while (status == OMNISTORE_OK && read != 0)
        status = request.source->read(request.source, buffer, sizeof buffer, &read);
      return status;
    });
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  every_allocation(failing, [&] {
    Letters letters;
    quietly([&] { storage.set(long_key, letters, OMNISTORE_UNKNOWN_SIZE); });
  });
}

TEST_CASE("no exception leaves the table of a layer's child") {
  Puppet layer, child;
  Failing failing;
  child.get = child.stat = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    return test::give(sink, "v");
  };
  child.list = [](omnistore_call *, const omnistore_list_request &, omnistore_page *page) {
    return page->emit(page, test::bytes("k"), nullptr);
  };
  // As a driver that lacks everything: most of what the table does is then the host's own work.
  child.traits.capabilities = 0;
  std::string mount = layer.mount();
  mount.insert(1, R"( "layers": [ )" + child.mount(GENERATE("puppet", "puppet-bare")) + " ], ");
  Storage storage = test::open(R"({ "": )" + mount + " }");
  REQUIRE(layer.children.size() == 1);
  const omnistore_store &store = *layer.children[0];
  const omnistore_driver &table = *store.driver;

  struct Ignores : omnistore_sink {
    Ignores()
        : omnistore_sink{sizeof(omnistore_sink), 0,
                         [](omnistore_sink *, const omnistore_meta *, void **buffer) {
                           if (buffer) *buffer = nullptr;
                           return OMNISTORE_OK;
                         },
                         [](omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_OK; }, nullptr} {}
  } sink;
  omnistore_page page{sizeof page, 0,
                      [](omnistore_page *, omnistore_bytes, const omnistore_meta *) { return OMNISTORE_OK; },
                      [](omnistore_page *, omnistore_bytes) {}, nullptr};
  omnistore_watcher watcher{sizeof watcher, 0, [](omnistore_watcher *, const omnistore_event *) {}};
  const omnistore_bytes keys[] = {test::bytes(long_key), test::bytes("k")};
  omnistore_sink *const sinks[] = {&sink, &sink};
  omnistore_status statuses[2];
  const omnistore_get_request part{sizeof part, OMNISTORE_GET_META, 1, 2};
  omnistore_set_request set{};
  set.size = sizeof set;
  set.value = test::bytes(long_text);
  set.expiry = INT64_MAX;
  set.condition = OMNISTORE_IF_PRESENT;
  const omnistore_set_request *sets[] = {&set, &set};
  const omnistore_remove_request remove{sizeof remove, 0, OMNISTORE_ALWAYS, 0, {}};
  const omnistore_get_request *parts[] = {&part, &part};
  const omnistore_remove_request *removes[] = {&remove, &remove};
  const omnistore_touch_request touch{sizeof touch, OMNISTORE_TOUCH_EXPIRY, INT64_MAX, {}};
  omnistore_list_request list{};
  list.size = sizeof list;
  list.limit = 10;
  list.flags = OMNISTORE_LIST_META;
  const omnistore_clear_request clear{sizeof clear, 0, {}};
  const omnistore_watch_request watch{sizeof watch, 0, test::bytes(long_key)};

  /// Calls the child as the layer would, from inside one of its own functions.
  const auto from_layer = [&](auto function) {
    layer.get = [&](omnistore_call *call, std::string_view, const omnistore_get_request &,
                    omnistore_sink *) -> omnistore_status {
      failing([&] { return function(call); });
      return OMNISTORE_NOT_FOUND;
    };
    every_allocation(failing, [&] { quietly([&] { storage.get("k"); }); });
  };
  void *const self = store.self;
  from_layer([&](omnistore_call *c) { return table.get(self, c, keys[0], &part, &sink); });
  from_layer([&](omnistore_call *c) { return table.stat(self, c, keys[0], &part, &sink); });
  from_layer([&](omnistore_call *c) { return table.set(self, c, keys[0], &set, nullptr); });
  from_layer([&](omnistore_call *c) { return table.remove(self, c, keys[0], &remove); });
  from_layer([&](omnistore_call *c) { return table.touch(self, c, keys[0], &touch); });
  from_layer([&](omnistore_call *c) { return table.list(self, c, &list, &page); });
  from_layer([&](omnistore_call *c) { return table.clear(self, c, &clear, &page); });
  from_layer([&](omnistore_call *c) { return table.get_many(self, c, keys, 2, parts, sinks, statuses); });
  from_layer([&](omnistore_call *c) { return table.stat_many(self, c, keys, 2, parts, sinks, statuses); });
  from_layer([&](omnistore_call *c) { return table.set_many(self, c, keys, 2, sets, sinks, statuses); });
  from_layer([&](omnistore_call *c) { return table.remove_many(self, c, keys, 2, removes, statuses); });
  from_layer([&](omnistore_call *c) {
    void *handle = nullptr;
    const omnistore_status status = table.watch(self, c, &watch, &watcher, &handle);
    if (status == OMNISTORE_OK) table.unwatch(self, handle);
    return status;
  });
}
