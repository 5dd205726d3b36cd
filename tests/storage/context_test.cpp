// SPDX-License-Identifier: Apache-2.0
// A driver's knowledge of the request that an operation is part of, and its failures.
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Caller;
using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;
using test::Puppet;

namespace {

constexpr const char *trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct Seen {
  std::string trace, identity;
  std::uint32_t priority = 99, cancelled = 99;
  std::uint32_t size = 0;

  explicit Seen(const omnistore_call *call) {
    const omnistore_context &context = *call->context;
    const auto text = [](omnistore_bytes bytes) {
      return std::string(static_cast<const char *>(bytes.data), static_cast<std::size_t>(bytes.size));
    };
    size = context.size;
    trace = text(context.trace);
    identity = text(context.identity);
    priority = context.priority;
    cancelled = context.cancelled(&context);
  }
};

/// Mounts of a puppet: by itself, and below layers that wrap the call.
std::string layered(const Puppet &puppet) {
  const std::string plain = puppet.mount(GENERATE("puppet", "puppet-bare"));
  switch (GENERATE(0, 1, 2)) {
  case 0:
    return R"({ "": )" + plain + " }";
  case 1:
    return R"({ "": { "driver": "overlay", "layers": [ { "driver": "memory" }, )" + plain + " ] } }";
  default:
    return R"({ "": { "driver": "cache", "layers": [ { "driver": "memory" }, )" + plain + " ] } }";
  }
}

/// Fails as a driver in C does.
omnistore_status fail(omnistore_call *call, omnistore_status status, std::uint32_t flags,
                      std::int64_t retry_after = 0) {
  const omnistore_failure failure{sizeof failure, 0, test::bytes("as told"), retry_after, flags, 0};
  call->fail(call, &failure);
  return status;
}

} // namespace

TEST_CASE("a driver sees the caller, also below layers that wrap the call") {
  Puppet puppet;
  std::optional<Seen> seen;
  puppet.get = [&](omnistore_call *call, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    seen.emplace(call);
    return test::give(sink, "v");
  };
  Storage storage = test::open(layered(puppet));
  const Caller caller{trace, "token 1", true};
  omnistore::GetOptions options;
  options.caller = &caller;
  CHECK(storage.get("k", options) == "v");
  REQUIRE(seen);
  CHECK(seen->trace == trace);
  CHECK(seen->identity == "token 1");
  CHECK(seen->priority == OMNISTORE_PRIORITY_BACKGROUND);
  CHECK(seen->cancelled == 0);
  CHECK(seen->size == sizeof(omnistore_context));
}

TEST_CASE("a driver sees that the caller went away, also below layers that wrap the call") {
  Puppet puppet;
  std::atomic<bool> gone{false};
  puppet.get = [&](omnistore_call *call, std::string_view, const omnistore_get_request &, omnistore_sink *) {
    gone = true;
    CHECK(Seen(call).cancelled == 1);
    CHECK(call->remaining(call) == 0);
    return OMNISTORE_CANCELLED;
  };
  Storage storage = test::open(layered(puppet));
  omnistore::GetOptions options;
  options.cancelled = &gone;
  CHECK(test::status_of([&] { storage.get("k", options); }) == Status::cancelled);
}

TEST_CASE("an operation without a named caller has no context") {
  Puppet puppet;
  std::optional<Seen> seen;
  puppet.set = [&](omnistore_call *call, auto...) {
    seen.emplace(call);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  storage.set("k", "v");
  CHECK(seen->trace.empty());
  CHECK(seen->identity.empty());
  CHECK(seen->priority == OMNISTORE_PRIORITY_NORMAL);
  CHECK(seen->cancelled == 0);
}

TEST_CASE("a malformed traceparent is not passed on") {
  Puppet puppet;
  std::optional<Seen> seen;
  puppet.set = [&](omnistore_call *call, auto...) {
    seen.emplace(call);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  for (std::string text : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
                           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r",
                           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    INFO(text);
    const Caller caller{text, "x"};
    omnistore::SetOptions options;
    options.caller = &caller;
    storage.set("k", "v", options);
    CHECK(seen->trace.empty());
  }
}

TEST_CASE("a background task is background work without a client") {
  Puppet puppet;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  std::atomic<std::uint32_t> priority{99};
  const auto task = [](void *argument, omnistore_call *call) {
    auto &told = *static_cast<std::atomic<std::uint32_t> *>(argument);
    told = call->context->priority;
    told.notify_all();
  };
  REQUIRE(puppet.host->submit(puppet.host, task, &priority, 0, 0) == OMNISTORE_OK);
  priority.wait(99);
  CHECK(priority == OMNISTORE_PRIORITY_BACKGROUND);
}

TEST_CASE("a write that timed out may still take place, unless the driver says that nothing was done") {
  const omnistore_status status = GENERATE(OMNISTORE_TIMEOUT, OMNISTORE_CANCELLED);
  Puppet puppet;
  std::uint32_t flags = 0;
  puppet.set = [&](omnistore_call *call, auto...) { return fail(call, status, flags); };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  std::string message;
  test::status_of([&] { storage.set("k", "v"); }, &message);
  CHECK_THAT(message, Catch::EndsWith("as told; it may still take place"));
  flags = OMNISTORE_NOTHING_DONE;
  test::status_of([&] { storage.set("k", "v"); }, &message);
  CHECK_THAT(message, Catch::EndsWith("as told"));
}

TEST_CASE("a failure says after how long a retry may work, also through layers that wrap the call") {
  Puppet puppet;
  puppet.get = [&](omnistore_call *call, auto...) { return fail(call, OMNISTORE_UNAVAILABLE, 0, 2500); };
  Storage storage = test::open(layered(puppet));
  std::chrono::milliseconds after{0};
  try {
    storage.get("k");
  } catch (const omnistore::Error &error) {
    after = error.retry_after();
    CHECK_THAT(error.what(), Catch::Contains("as told"));
  }
  CHECK(after == 2500ms);
}

TEST_CASE("a failure without a message keeps the one that was given before") {
  Puppet puppet;
  puppet.get = [&](omnistore_call *call, auto...) {
    fail(call, OMNISTORE_IO, 0);
    const omnistore_failure more{sizeof more, 0, {nullptr, 0}, 0, OMNISTORE_NOTHING_DONE, 0};
    call->fail(call, &more);
    return OMNISTORE_IO;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  std::string message;
  CHECK(test::status_of([&] { storage.get("k"); }, &message) == Status::io);
  CHECK_THAT(message, Catch::EndsWith("as told"));
}

TEST_CASE("a sidecar that cannot be removed does not make its value's removal undone") {
  Puppet puppet;
  puppet.traits.capabilities &= ~(OMNISTORE_CAN_TTL | OMNISTORE_SHARED);
  puppet.get = [](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    return key == "k$" ? test::give(sink, R"({"__nuxt_meta__":1,"expires":"2099-01-01T00:00:00.000Z"})")
                       : OMNISTORE_NOT_FOUND;
  };
  puppet.set = [](omnistore_call *, auto...) { return OMNISTORE_OK; };
  puppet.remove = [](omnistore_call *call, std::string_view key, const omnistore_remove_request &) {
    return key == "k$" ? fail(call, OMNISTORE_TIMEOUT, OMNISTORE_NOTHING_DONE) : OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount("puppet-bare") + " }");
  omnistore::SetOptions options;
  options.ttl = 1h;
  storage.set("k", "v", options);
  std::string message;
  if (test::status_of([&] { storage.remove("k"); }, &message) == Status::timeout)
    CHECK_THAT(message, Catch::EndsWith("it may still take place"));
}
