// SPDX-License-Identifier: Apache-2.0
// Events of the layers come up once, if they change the view.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using Type = omnistore::Event::Type;
using Cause = omnistore::Event::Cause;

namespace {

/// Watches `o` while changes are made, and reports them as "+key" and "-key". The end is known by a change of the key
/// `zz` that another makes in the lowest layer: changes of the layers are reported in their order.
class Told {
public:
  Told(omnistore::Storage &storage, std::string lowest)
      : storage_(storage), lowest_(std::move(lowest)), watch_(storage.watch("o", events_.callback())) {}

  Keys finish() {
    storage_.set(lowest_ + ":zz", "end");
    Keys told;
    for (std::size_t count = 1;; ++count) {
      const auto events = events_.wait_for(count);
      REQUIRE(events.size() >= count);
      const omnistore::Event &event = events[count - 1];
      if (event.key == "o:zz") return told;
      told.push_back((event.type == Type::update ? "+" : event.type == Type::remove ? "-" : "!") + event.key);
    }
  }

private:
  Events events_;
  omnistore::Storage &storage_;
  std::string lowest_;
  omnistore::Watch watch_;
};

} // namespace

TEST_CASE("a change that others make in a layer is reported if it can be seen") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:hidden", "above");
  storage.set("l2:removed", "below");
  storage.remove("o:removed");
  Told told(storage, "l2");
  storage.set("l1:a", "1");
  storage.set("l2:a", "2");      // hidden by layer 1
  storage.set("l2:hidden", "2"); // by layer 0
  storage.set("l2:removed", "2");
  storage.remove("l2:hidden");
  storage.remove("l2:removed");
  storage.set("l2:b", "2");
  CHECK(told.finish() == Keys{"+o:a", "+o:b"});
}

TEST_CASE("a value that others take away lets the one below be seen") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "1");
  storage.set("l2:a", "2");
  storage.set("l1:b", "1");
  Told told(storage, "l2");
  storage.remove("l1:a");
  storage.remove("l1:b");
  CHECK(told.finish() == Keys{"+o:a", "-o:b"});
}

TEST_CASE("the overlay's own writes are reported once, even if a layer's watch reports them too") {
  const std::string kind = GENERATE("memory", "jar", "echoing");
  Layers layers(R"({ "writeTo": [0, 1] })", {kind, "echoing", "jar"});
  auto storage = layers.open();
  storage.set("l2:below", "2");
  Told told(storage, "l2");
  storage.set("o:a", "value");
  storage.set("o:a", "another");
  storage.set_many(std::vector<omnistore::SetItem>{{"o:b", "value", {}}});
  storage.remove("o:a");
  storage.remove("o:below");
  storage.set("o:c:1", "value");
  storage.clear("o:c");
  CHECK(told.finish() == Keys{"+o:a", "+o:a", "+o:b", "-o:a", "-o:below", "+o:c:1", "-o:c:1"});
}

TEST_CASE("a copy that is promoted is no change") {
  Layers layers(R"({ "promote": true })", {"echoing", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  Told told(storage, "l1");
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.has("l0:a"));
  CHECK(told.finish().empty());
}

TEST_CASE("a removal that another overlay records is reported") {
  Layers layers("{}", {"jar", "jar"});
  auto storage =
      layers.open(R"(, "p": { "driver": "overlay", "layers": [)" + layers.layer(0) + "," + layers.layer(1) + "] }");
  for (const char *key : {"l1:a", "l1:b:1", "l1:c"}) storage.set(key, "below");
  Told told(storage, "l1");
  storage.remove("p:a");
  storage.clear("p:b");
  CHECK(told.finish() == Keys{"-o:a", "!"}); // which keys were cleared is not known
  CHECK(storage.keys("o").all() == Keys{"o:c", "o:zz"});
}

TEST_CASE("a watch of a base gets its keys alone") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  Events events;
  const auto watch = storage.watch("o:a", events.callback());
  storage.set("l1:b:1", "below");
  storage.set("l1:a:1", "below");
  const auto told = events.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].key == "o:a:1");
}

TEST_CASE("an expiry or eviction in a layer is reported if nothing is below it") {
  auto storage = open(R"({ "o": { "driver": "overlay", "layers": [
      { "driver": "memory", "options": { "size": 1 } }, { "driver": "memory" } ] } })");
  Events events;
  const auto watch = storage.watch("o", events.callback());
  storage.set("o:a", "1");
  storage.set("o:b", "2"); // the first goes
  const auto told = events.wait_for(3);
  REQUIRE(told.size() == 3);
  const auto removal = std::find_if(told.begin(), told.end(), [](auto &event) { return event.type == Type::remove; });
  REQUIRE(removal != told.end());
  CHECK(removal->key == "o:a");
  CHECK(removal->cause == Cause::evicted);
}

TEST_CASE("an evicted copy of a value that a lower layer has is no change") {
  Layers layers("{}", {"jar"});
  auto storage = layers.open(R"(, "p": { "driver": "overlay", "options": { "writeTo": "all" }, "layers": [
      { "driver": "memory", "options": { "size": 1 } }, )" +
                             layers.layer(0) + "] }");
  Events events;
  const auto watch = storage.watch("p", events.callback());
  storage.set("p:a", "1");
  storage.set("p:b", "2");
  storage.set("l0:zz", "end");
  const auto told = events.wait_for(3);
  REQUIRE(told.size() == 3);
  CHECK(told[0].key == "p:a");
  CHECK(told[1].key == "p:b");
  CHECK(told[2].key == "p:zz");
}
