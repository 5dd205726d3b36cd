// SPDX-License-Identifier: Apache-2.0
// The longest key that a store's set takes works with every operation; a byte more, and none takes it.
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "support/temporary.hpp"

using omnistore::Error;
using omnistore::Status;
using omnistore::Storage;

namespace {

/// A key of so many bytes in the mount `m`, not counting "m:": segments of 100 bytes at most.
std::string key_of(std::size_t size) {
  std::string key;
  while (key.size() < size) key += key.size() % 101 == 100 ? ':' : 'k';
  if (key.back() == ':') key.back() = 'k', key[key.size() - 2] = key.size() > 1 ? 'k' : key[0];
  return "m:" + key;
}

struct Operation {
  const char *name;
  std::function<void(Storage &, const std::string &)> run;
};

void raise(const omnistore::Outcome &outcome) {
  if (outcome.status != Status::ok && outcome.status != Status::not_found) throw Error(outcome.status, outcome.message);
}

const Operation operations[] = {
    {"set", [](Storage &s, const std::string &k) { s.set(k, "v"); }},
    {"set with a ttl",
     [](Storage &s, const std::string &k) {
       s.set(k, "v", {.ttl = std::chrono::hours(1), .condition = {}, .user = {}});
     }},
    {"set with user meta",
     [](Storage &s, const std::string &k) { s.set(k, "v", {.ttl = {}, .condition = {}, .user = "u"}); }},
    {"has", [](Storage &s, const std::string &k) { s.has(k); }},
    {"get", [](Storage &s, const std::string &k) { s.get(k); }},
    {"entry", [](Storage &s, const std::string &k) { s.entry(k, {.meta = true, .user = true}); }},
    {"meta", [](Storage &s, const std::string &k) { s.meta(k); }},
    {"touch", [](Storage &s, const std::string &k) { s.set(k, "v"), s.touch(k, std::chrono::hours(1)); }},
    {"get of many", [](Storage &s, const std::string &k) { raise(s.get_many(std::vector<std::string>{k})[0]); }},
    {"user meta by itself",
     [](Storage &s, const std::string &k) {
       if (!s.has(k)) s.set(k, "v");
       s.set(k + "$", "u");
       s.get(k + "$");
       s.meta(k + "$");
       s.remove(k + "$");
       s.explain(k + "$");
     }},
    {"explain", [](Storage &s, const std::string &k) { s.explain(k); }},
    {"conditional set",
     [](Storage &s, const std::string &k) {
       s.set(k, "v", {.ttl = {}, .condition = {omnistore::Condition::Kind::if_absent, {}}, .user = {}});
     }},
    {"set of many",
     [](Storage &s, const std::string &k) {
       const omnistore::SetItem item{k, "v", {}};
       raise(s.set_many(std::span(&item, 1))[0]);
     }},
    {"remove of many", [](Storage &s, const std::string &k) { raise(s.remove_many(std::vector<std::string>{k})[0]); }},
    {"remove", [](Storage &s, const std::string &k) { s.remove(k); }},
    {"remove of what is there", [](Storage &s, const std::string &k) { s.set(k, "v"), s.remove(k); }},
};

Status status_of(Storage &storage, const Operation &operation, const std::string &key, std::string &message) {
  return test::status_of([&] { operation.run(storage, key); }, &message);
}

} // namespace

TEST_CASE("the longest key that a set takes works with every operation, and one byte more with none") {
  const test::Folder folder;
  const auto fs = [&](const char *name) {
    return R"({ "driver": "fs", "options": { "base": ")" + (folder / name) + R"(" } })";
  };
  const std::string memory = R"({ "driver": "memory" })", bare = R"({ "driver": "bare" })";
  const auto overlay = [](const std::string &one, const std::string &two) {
    return R"({ "driver": "overlay", "layers": [)" + one + ", " + two + "] }";
  };
  const auto cache = [](std::string copies, const std::string &origin) {
    copies.pop_back();
    return copies + R"(, "invalidation": { "maxAge": 60 }, "origin": )" + origin + " }";
  };
  const std::string mounts[] = {memory,
                                fs("plain"),
                                bare,
                                R"({ "driver": "null" })",
                                overlay(memory, memory),
                                overlay(fs("upper"), fs("lower")),
                                overlay(memory, fs("below")),
                                cache(memory, memory),
                                cache(fs("copies"), memory),
                                cache(fs("copies2"), fs("origin"))};
  for (const std::string &mount : mounts) {
    INFO(mount);
    Storage storage = test::open(R"({ "m": )" + mount + " }");
    std::string message;
    std::size_t longest = 4096;
    while (longest > 3900 && status_of(storage, operations[0], key_of(longest), message) != Status::ok) --longest;
    CHECK(longest > 4000);
    for (const Operation &operation : operations) {
      INFO(operation.name << " of a key of " << longest << " bytes: " << message);
      const Status status = status_of(storage, operation, key_of(longest), message);
      // `null` keeps no value, and not every overlay takes conditions: that is so for short keys too.
      CHECK((status == Status::ok || status == Status::not_found || status == Status::unsupported));
    }
    if (mount != R"({ "driver": "null" })") {
      storage.set(key_of(longest), "v");
      CHECK(storage.list("m:").items.size() == 1);
      CHECK(storage.clear("m:") == 1);
    }
    for (const Operation &operation : operations) {
      INFO(operation.name << " of a key of " << longest + 1 << " bytes");
      const Status status = status_of(storage, operation, key_of(longest + 1), message);
      CHECK(status == Status::too_large);
    }
  }
}
