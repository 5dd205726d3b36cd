// SPDX-License-Identifier: Apache-2.0
// Every verb has a deadline, and ends when its client goes away: in C++ and over HTTP.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <omnistore/view.hpp>

#include "client.hpp"
#include "patient.hpp"

using omnistore::CallOptions;
using omnistore::Error;
using omnistore::Status;
using omnistore::Storage;
using test::Answer;
using test::Client;
using test::Host;
using namespace std::chrono_literals;

namespace {

struct Verb {
  const char *name;
  bool writes;
  std::function<void(Storage &, const CallOptions &)> run;
};

template <typename Options>
Options with(const CallOptions &limits, Options options = {}) {
  options.timeout = limits.timeout;
  options.cancelled = limits.cancelled;
  return options;
}

/// The failure of the first item.
template <typename Outcomes>
void raise_first(const Outcomes &outcomes) {
  if (outcomes.at(0).status != Status::ok) throw Error(outcomes[0].status, outcomes[0].message);
}

const std::vector<std::string> keys = {"slow:a", "slow:b"};

const std::vector<Verb> &verbs() {
  struct Ignores : omnistore::Reader {
    char *begin(const omnistore::Meta &) override { return nullptr; }
    void write(std::string_view) override {}
  };
  struct Empty : omnistore::Source {
    std::size_t read(char *, std::size_t) override { return 0; }
  };
  static const std::vector<Verb> all = {
      {"get", false, [](Storage &s, const CallOptions &o) { s.get("slow:k", with<omnistore::GetOptions>(o)); }},
      {"entry", false, [](Storage &s, const CallOptions &o) { s.entry("slow:k", with<omnistore::GetOptions>(o)); }},
      {"read", false,
       [](Storage &s, const CallOptions &o) {
         Ignores reader;
         s.read("slow:k", reader, with<omnistore::GetOptions>(o));
       }},
      {"has", false, [](Storage &s, const CallOptions &o) { s.has("slow:k", o); }},
      {"meta", false, [](Storage &s, const CallOptions &o) { s.meta("slow:k", with<omnistore::MetaOptions>(o)); }},
      {"user meta", false, [](Storage &s, const CallOptions &o) { s.get("slow:k$", with<omnistore::GetOptions>(o)); }},
      {"set", true, [](Storage &s, const CallOptions &o) { s.set("slow:k", "v", with<omnistore::SetOptions>(o)); }},
      {"set from a source", true,
       [](Storage &s, const CallOptions &o) {
         Empty source;
         s.set("slow:k", source, 0, with<omnistore::SetOptions>(o));
       }},
      {"set with a condition", true,
       [](Storage &s, const CallOptions &o) {
         auto options = with<omnistore::SetOptions>(o);
         options.condition.kind = omnistore::Condition::Kind::if_absent;
         s.set("slow:k", "v", options);
       }},
      {"remove", true, [](Storage &s, const CallOptions &o) { s.remove("slow:k", with<omnistore::RemoveOptions>(o)); }},
      {"touch", true, [](Storage &s, const CallOptions &o) { s.touch("slow:k", 60s, o); }},
      {"get_many", false,
       [](Storage &s, const CallOptions &o) { raise_first(s.get_many(keys, with<omnistore::GetOptions>(o))); }},
      {"set_many", true,
       [](Storage &s, const CallOptions &o) {
         const std::vector<omnistore::SetItem> items = {{"slow:a", "v", {}}, {"slow:b", "v", {}}};
         raise_first(s.set_many(items, o));
       }},
      {"remove_many", true, [](Storage &s, const CallOptions &o) { raise_first(s.remove_many(keys, o)); }},
      {"list", false, [](Storage &s, const CallOptions &o) { s.list("slow", with<omnistore::ListOptions>(o)); }},
      {"clear", true, [](Storage &s, const CallOptions &o) { s.clear("slow", o); }},
      {"clear of a part", true, [](Storage &s, const CallOptions &o) { s.clear("slow:a:b", o); }},
      {"clear of a view", true, [](Storage &s, const CallOptions &o) { s.prefixed("slow").clear({}, o); }},
  };
  return all;
}

/// The failure that a verb ends with.
Error failure_of(Storage &storage, const Verb &verb, const CallOptions &limits) {
  try {
    verb.run(storage, limits);
  } catch (const Error &error) {
    return error;
  }
  return Error(Status::ok, "it did not fail");
}

} // namespace

TEST_CASE("Every verb of a Storage ends at its deadline, and a write says that it may still take place") {
  Storage storage(test::patient_config(60'000));
  for (const Verb &verb : verbs()) {
    const Error error = failure_of(storage, verb, {.timeout = 20ms});
    INFO(verb.name << ": " << error.what());
    CHECK(error.status() == Status::timeout);
    CHECK((std::string(error.what()).find("it may still take place") != std::string::npos) == verb.writes);
  }
}

TEST_CASE("Every verb of a Storage ends when it is cancelled") {
  Storage storage(test::patient_config(60'000));
  for (const Verb &verb : verbs()) {
    INFO(verb.name);
    std::atomic<bool> cancelled{false};
    Status status = Status::ok;
    std::thread caller([&] { status = failure_of(storage, verb, {.cancelled = &cancelled}).status(); });
    test::await_calls(storage, "slow", 1);
    cancelled = true;
    caller.join();
    CHECK(status == Status::timeout);
  }
}

TEST_CASE("A request that waits for a store's only call ends at its own deadline, with nothing done") {
  omnistore::Config config = test::patient_config(60'000);
  config.mounts["slow"].store.options = R"({"serialized": true})";
  Storage storage(config);
  std::atomic<bool> cancelled{false};
  Status held = Status::ok;
  std::thread holder([&] {
    try {
      storage.has("slow:k", {.cancelled = &cancelled});
    } catch (const Error &error) {
      held = error.status();
    }
  });
  // A call counts as in flight before it has the store's lock, so another one shows when the holder has it.
  const Verb probe{"has", false, [](Storage &s, const CallOptions &o) { s.has("slow:k", o); }};
  while (failure_of(storage, probe, {.timeout = 20ms}).status() != Status::unavailable) continue;
  for (const Verb &verb : verbs()) {
    const Error error = failure_of(storage, verb, {.timeout = 20ms});
    INFO(verb.name << ": " << error.what());
    CHECK(error.status() == Status::unavailable);
    CHECK(std::string(error.what()).find("it may still take place") == std::string::npos);
  }
  CHECK(storage.stats().size() == 2); // figures do not wait for it either
  cancelled = true;
  holder.join();
  CHECK(held == Status::timeout);
}

namespace {

struct Asked {
  const char *method, *target, *body, *headers;
};

constexpr Asked requests[] = {
    {"GET", "/slow/k", "", ""},
    {"GET", "/slow/k", "", "If-None-Match: \"e\"\r\n"},
    {"GET", "/slow/k", "", "Range: bytes=-5\r\n"},
    {"GET", "/slow/k$", "", ""},
    {"HEAD", "/slow/k", "", ""},
    {"GET", "/slow/", "", ""},
    {"GET", "/slow/?limit=10", "", ""},
    {"GET", "/", "", ""},
    {"PUT", "/slow/k", "v", ""},
    {"PUT", "/slow/k", "v", "If-Match: \"e\"\r\n"},
    {"PUT", "/slow/k", "v", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
    {"PATCH", "/slow/k", "", "X-Ttl: 60\r\n"},
    {"DELETE", "/slow/k", "", ""},
    {"DELETE", "/slow/k", "", "If-Match: \"e\"\r\n"},
    {"DELETE", "/slow/k$", "", ""},
    {"DELETE", "/slow/", "", ""},
    {"DELETE", "/slow/a/b/", "", ""},
};

} // namespace

namespace {

/// Sends the request again as long as the request has no turn in its short time, which can happen on a busy machine.
template <typename Ask>
Answer in_its_turn(const Ask &ask) {
  for (;;)
    if (Answer answer = ask(); answer.status != 503) return answer;
}

} // namespace

TEST_CASE("Every method ends at the deadline with 504, and one that writes says that it may still take place") {
  Host host(test::patient_config(50));
  Client client(host.http());
  for (const Asked &asked : requests) {
    const bool is_head = std::string(asked.method) == "HEAD";
    const Answer answer = in_its_turn([&] {
      client.send(test::request(asked.method, asked.target, asked.body, asked.headers));
      return client.receive(is_head);
    });
    INFO(asked.method << " " << asked.target << " " << asked.headers << answer.body);
    CHECK(answer.status == 504);
    const bool writes = std::string(asked.method) != "GET" && !is_head;
    // A condition is looked up first, and that look is no write.
    if (*asked.headers == '\0' || !writes)
      CHECK((answer.body.find("may still take place") != std::string::npos) == writes);
    test::await_idle(host.storage, "slow");
  }
}

TEST_CASE("A batch ends at the deadline, and each of its items says so") {
  Host host(test::patient_config(50));
  Client client(host.http());
  for (const char *body :
       {R"({"get": ["a", "b"]})", R"({"set": [{"key": "a", "value": "v"}, {"key": "b", "value": "v"}]})",
        R"({"remove": ["a", "b"]})"}) {
    INFO(body);
    const Answer answer = in_its_turn([&] { return client.ask("POST", "/slow/", body); });
    REQUIRE(answer.status == 200);
    const auto said = boost::json::parse(answer.body).as_object();
    const auto &items = said.begin()->value().as_array();
    CHECK(items.at(0).at("status") == 504);
    CHECK(items.at(1).at("status") == 503); // its turn did not come
    test::await_idle(host.storage, "slow");
  }
}

TEST_CASE("An explanation ends at the deadline") {
  Host host(test::patient_config(50));
  Client admin(host.admin());
  const Answer answer = in_its_turn([&] { return admin.ask("GET", "/explain?key=slow:k"); });
  CHECK(answer.status == 200);
  CHECK(answer.body.find("timeout") != std::string::npos);
}

TEST_CASE("The request of a client that goes away is cancelled") {
  omnistore::Config config = test::patient_config(3'600'000);
  config.http.idle_timeout = 200; // how often connections are looked at goes by it
  Host host(config);
  for (const Asked &asked : requests) {
    INFO(asked.method << " " << asked.target << " " << asked.headers);
    {
      Client client(host.http());
      client.send(test::request(asked.method, asked.target, asked.body, asked.headers));
      test::await_calls(host.storage, "slow", 1);
    }
    test::await_idle(host.storage, "slow");
  }
}
