// SPDX-License-Identifier: Apache-2.0
// Keys that change on their way.
#include <catch2/catch.hpp>

#include "ground.hpp"

using test::Ground;
using test::KeyOutcome;
using test::OnConflict;
using Status = omnistore::Status;

namespace {

test::CopyOptions rewriting(std::vector<omnistore::jobs::RewriteRule> rules, bool move = false) {
  test::CopyOptions options;
  options.rewrite = omnistore::jobs::Rewrite(std::move(rules));
  options.move = move;
  return options;
}

std::vector<std::string> keys(const Ground &ground, const std::string &base) {
  std::vector<std::string> all = ground.storage.keys(base).all();
  std::sort(all.begin(), all.end());
  return all;
}

} // namespace

TEST_CASE("a rewrite replaces each match in the key after its base, rule after rule") {
  Ground ground;
  ground.storage.set("from:user-1", "Ada");
  ground.storage.set("from:user-22:from", "Grace");
  ground.copy("from", "to:people", rewriting({{"^user-(\\d+)", "u:$1"}, {"u:(\\d)$", "u:0$1"}}));
  CHECK(ground.all("to") ==
        std::map<std::string, std::string>{{"people:u:01", "Ada|"}, {"people:u:22:from", "Grace|"}});
}

TEST_CASE("a pattern that cannot be read is refused before anything is done") {
  std::string message;
  CHECK(test::status_of([] { rewriting({{"a(b", "c"}}); }, &message) == Status::invalid);
  CHECK(message.find("rewrite a(b:") == 0);
}

TEST_CASE("two keys that become one are an error that names both, and neither value is lost") {
  Ground ground;
  ground.storage.set("from:a1", "one");
  ground.storage.set("from:a2", "two");
  const auto how = GENERATE(OnConflict::fail, OnConflict::skip, OnConflict::overwrite);
  test::CopyOptions options = rewriting({{"\\d", ""}}, true);
  options.on_conflict = how;
  std::string message;
  const Status status = test::status_of([&] { ground.copy("from", "to", std::move(options)); }, &message);
  if (how == OnConflict::fail) {
    CHECK(status == Status::conflict);
  } else {
    CHECK(ground.failure == Status::conflict);
    REQUIRE(ground.problems.size() == 1);
    message = ground.problems[0];
    CHECK(ground.storage.get("to:a") == "one");
  }
  CHECK(message.find("from:a1") != std::string::npos);
  CHECK(message.find("from:a2") != std::string::npos);
  CHECK(ground.storage.get("from:a2") == "two");
}

TEST_CASE("a key of which a rewrite leaves no key is an error that names it, and the others are copied") {
  Ground ground;
  ground.storage.set("from:bad", "1");
  ground.storage.set("from:good", "2");
  const auto [replacement, why] =
      GENERATE(std::pair("", "the key is empty"), std::pair("a:..:b", ".."), std::pair("x$$", "another key's meta"));
  const auto counts = ground.copy("from", "to", rewriting({{"^bad$", replacement}}));
  CHECK(of(counts, KeyOutcome::failed) == 1);
  CHECK(of(counts, KeyOutcome::copied) == 1);
  CHECK(ground.failure == Status::invalid);
  REQUIRE(ground.problems.size() == 1);
  CHECK(ground.problems[0].find("from:bad") != std::string::npos);
  CHECK(ground.problems[0].find(why) != std::string::npos);
}

TEST_CASE("keys can get another form in their own base, and keys of the new form stay as they are") {
  Ground ground;
  for (int i = 0; i < 3000; ++i) ground.storage.set("from:" + std::to_string(i), "v");
  const auto counts = ground.copy("from", "from", rewriting({{"^(\\d+)$", "id:$1"}}, true));
  CHECK(ground.failure == Status::ok);
  CHECK(of(counts, KeyOutcome::removed) == 3000);
  CHECK(keys(ground, "from:id").size() == 3000);
  CHECK(keys(ground, "from").size() == 3000);
}

TEST_CASE("a rewrite whose copies would be copied again is refused, with the key") {
  Ground ground;
  ground.storage.set("from:a", "v");
  ground.copy("from", "from", rewriting({{"^", "x:"}}));
  CHECK(ground.failure == Status::invalid);
  REQUIRE(ground.problems.size() == 1);
  CHECK(ground.problems[0].find("from:a: its copy from:x:a is under the source") != std::string::npos);
  CHECK(keys(ground, "from") == std::vector<std::string>{"from:a"});
}
