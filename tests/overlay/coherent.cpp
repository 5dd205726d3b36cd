// SPDX-License-Identifier: Apache-2.0
// An overlay with `coherent`: a copy is served only while no other host can have changed its value. `tests/coherence`
// has the same with real hosts and servers.
#include <catch2/catch.hpp>

#include <thread>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;
using Type = omnistore::Event::Type;

namespace {

constexpr const char *coherent = R"({ "promote": true, "writeTo": 1, "coherent": true, "maxLag": "5s" })";

/// An overlay of memory over a jar. Others write the jar at `l1`.
struct CoherentWorld {
  explicit CoherentWorld(const std::string &lowest = "jar", std::vector<std::string> above = {"memory"}) {
    const std::string last = std::to_string(above.size());
    above.push_back(lowest);
    layers.emplace(R"({ "promote": true, "coherent": true, "maxLag": "5s", "writeTo": )" + last + "}", above);
    storage.emplace(layers->open());
    jar = "l" + last + ":";
  }
  std::string get(const std::string &key) { return storage->get("o:" + key).value_or(""); }
  /// The number of values that the jar has given.
  int reads() { return std::stoi(*storage->get(jar + "!reads")); }
  void others_set(const std::string &key, const std::string &value) { storage->set(jar + key, value); }

  std::optional<Layers> layers;
  std::optional<Storage> storage;
  std::string jar;
};

} // namespace

TEST_CASE("a copy in a coherent overlay is served without the layer below until another host changes the key") {
  CoherentWorld w(GENERATE("jar", "echoing"), GENERATE(Keys{"memory"}, Keys{"memory", "memory"}));
  w.others_set("k", "old");
  CHECK(w.get("k") == "old");
  const int before = w.reads();
  CHECK(w.get("k") == "old");
  CHECK(w.storage->get_many(Keys{"o:k"}).front().entry.value == "old");
  CHECK(w.reads() == before);
  w.others_set("k", "new");
  CHECK(w.get("k") == "new");
  CHECK(w.get("k") == "new");
  CHECK(w.reads() == before + 1); // the new copy has replaced the old one
}

TEST_CASE("a batch gets the changed keys from the layer below and the others from their copies") {
  CoherentWorld w;
  for (const char *key : {"a", "b", "c"}) w.others_set(key, "old");
  const Keys keys{"o:a", "o:b", "o:c"};
  w.storage->get_many(keys);
  const int before = w.reads();
  w.others_set("b", "new");
  const auto values = w.storage->get_many(keys);
  CHECK(values[0].entry.value == "old");
  CHECK(values[1].entry.value == "new");
  CHECK(values[2].entry.value == "old");
  CHECK(w.reads() == before + 1);
  w.storage->get_many(keys);
  CHECK(w.reads() == before + 1);
}

TEST_CASE("meta shows another host's change, alone and in a batch") {
  CoherentWorld w;
  w.others_set("k", "old");
  w.get("k");
  const std::string etag = w.storage->meta("o:k")->etag;
  CHECK(w.storage->meta("o:k")->etag == etag);
  w.others_set("k", "new, and longer");
  CHECK(w.storage->meta("o:k")->etag != etag);
  CHECK(w.storage->get_many(Keys{"o:k"}, {.meta = true}).front().entry.meta.etag != etag);
  CHECK(w.storage->meta("o:k")->size == 15u);
}

TEST_CASE("a key that another host removed is neither found nor listed") {
  CoherentWorld w;
  w.others_set("a", "1"), w.others_set("b", "2");
  w.get("a"), w.get("b");
  w.storage->remove(w.jar + "a");
  CHECK_FALSE(w.storage->has("o:a"));
  CHECK(w.get("a").empty());
  CHECK(w.storage->get_many(Keys{"o:a"}).front().status == Status::not_found);
  CHECK(w.storage->keys("o").all() == Keys{"o:b"});
}

TEST_CASE("a value that was read before a change and comes after its event does not become a copy") {
  CoherentWorld w;
  w.others_set("k", "old");
  SlowReader slow; // the copy is made after it has the value
  std::thread reading([&] { w.storage->read("o:k", slow); });
  slow.await_begin();
  w.others_set("k", "new");
  slow.let_go();
  reading.join();
  CHECK(slow.value == "old");
  CHECK(w.get("k") == "new");
}

TEST_CASE("no copy is used, and none is made, while the watch lags by more than maxLag") {
  CoherentWorld w;
  w.others_set("k", "value");
  w.get("k");
  const int before = w.reads();
  w.storage->set(w.jar + "!lag", "5001");
  CHECK(w.get("k") == "value");
  CHECK(w.get("k") == "value");
  CHECK(w.reads() == before + 2);
  w.storage->set(w.jar + "!fail", "90");
  CHECK(status_of([&] { w.get("k"); }) == Status::unavailable);
  CHECK(w.storage->get_many(Keys{"o:k"}).front().status == Status::unavailable);
  CHECK(status_of([&] { w.storage->meta("o:k"); }) == Status::unavailable);
  w.storage->set(w.jar + "!lag", "5000"); // nothing was lost, so the copy is as good as before
  CHECK(w.get("k") == "value");
}

TEST_CASE("after a write whose outcome is not known no copy is used") {
  CoherentWorld w;
  w.others_set("k", "old");
  w.get("k");
  w.storage->set(w.jar + "!fail", "80");
  CHECK(status_of([&] { w.storage->set("o:k", "new"); }) == Status::timeout);
  CHECK(status_of([&] { w.get("k"); }) == Status::timeout);
  w.storage->set(w.jar + "!fail", "0");
  w.others_set("k", "new"); // the write has arrived after all
  CHECK(w.get("k") == "new");
}

TEST_CASE("a value that the overlay itself wrote is copied again by the next read") {
  CoherentWorld w;
  w.others_set("k", "old");
  w.get("k");
  w.storage->set("o:k", "own");
  const int before = w.reads();
  CHECK(w.get("k") == "own");
  CHECK(w.get("k") == "own");
  CHECK(w.reads() == before + 1);
}

TEST_CASE("another host's change is reported although a copy is above it, and a reader then gets it") {
  CoherentWorld w;
  w.others_set("k", "old");
  w.get("k");
  Events events;
  const auto watch = w.storage->watch("o", events.callback());
  w.others_set("k", "new");
  const auto changed = events.wait_for(1);
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].key == "o:k");
  CHECK(w.get("k") == "new");
  w.storage->remove(w.jar + "k");
  const auto removed = events.wait_for(2);
  REQUIRE(removed.size() == 2);
  CHECK(removed[1].type == Type::remove);
}

TEST_CASE("a coherent overlay in which a layer may have other values than copies does not open") {
  const auto [options, kinds, message] = GENERATE(table<std::string, Keys, std::string>({
      {R"({ "coherent": true, "writeTo": 1 })", {"memory", "jar"}, "without promote there are no copies"},
      {R"({ "coherent": true, "promote": true })", {"memory", "jar"}, "set writeTo to 1, the last layer"},
      {R"({ "coherent": true, "promote": true, "writeTo": "all" })", {"memory", "jar"}, "set writeTo to 1"},
      {coherent, {"fs", "jar"}, "layer 0 (fs) may have other values than copies"},
      {coherent, {"private", "jar"}, "layer 0 (jar) may have other values than copies"},
      {coherent, {"jar", "jar"}, "layer 0 (jar) may have other values than copies"},
  }));
  std::string text;
  CHECK(status_of([&] { Layers(options, kinds).open(); }, &text) == Status::invalid);
  CHECK_THAT(text, Catch::Contains("coherent: ") && Catch::Contains(message));
}
