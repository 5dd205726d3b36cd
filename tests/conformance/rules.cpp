// SPDX-License-Identifier: Apache-2.0
// The kit's rules: each can fail, a driver that keeps the contract breaks none, and each quotes the header.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>
#include <dlfcn.h>

#include <conformance/kit.hpp>
#include <conformance/rule.hpp>
#include <conformance/store.hpp>

using namespace omnistore;

namespace {

std::string plugin(const std::string &name) { return KIT_PLUGINS "/" + name + ".so"; }

/// A store of the driver that is right, under a layer.
class Right : public kit::Children {
public:
  Right() {
    const auto entry =
        reinterpret_cast<omnistore_entry>(dlsym(dlopen(plugin("map").c_str(), RTLD_NOW), OMNISTORE_ENTRY));
    const omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
    const omnistore_plugin *map = entry(&abi);
    store_ = std::make_unique<kit::Store>(*map->drivers[map->driver_count - 1], "{}",
                                          std::vector<const omnistore_store *>());
    face_ = {sizeof face_, 0, &store_->driver(), &store_->traits(), store_->self(), nullptr, 0, 0};
  }
  std::vector<const omnistore_store *> stores() const override { return {&face_}; }

private:
  std::unique_ptr<kit::Store> store_;
  omnistore_store face_{};
};

kit::Result only(const std::string &file, const std::string &driver, std::string_view rule) {
  kit::Subject subject;
  subject.file = file;
  subject.driver = driver;
  subject.check_schema = [](std::string_view schema) {
    return schema.find("\"text\"") == schema.npos ? std::string() : "there is no type text";
  };
  subject.children = [](const std::string &, std::uint32_t) { return std::make_unique<Right>(); };
  kit::How how;
  how.only = {std::string(rule)};
  how.seed = 1;
  how.limit = std::chrono::seconds(20);
  return kit::try_rules(subject, how)[0];
}

/// Rules that say nothing about a store in memory that others do not see.
const std::set<std::string_view> not_for_right = {
    "read-only",     "keys-without-nesting", "list-cursor-lives", "watch-others",
    "stats-numbers", "revalidate",           "validate",          "explain",
    "watch-limited", "keeps-through-kills",  "shared-seen",       "layer-hands-down",
    "health",        "list-refused",         "stats-steady",      "explain-changes-nothing",
    "lag-proves",    "nothing-done",         "layer-looks-below"};

void each_can_fail(std::size_t part, std::size_t parts) {
  const auto &rules = kit::all_rules();
  for (std::size_t i = part; i < rules.size(); i += parts) {
    const std::string rule(rules[i]->name);
    const bool whole = std::filesystem::exists(plugin(rule));
    const kit::Result wrong = whole ? only(plugin(rule), "", rule)
                                    : only(plugin("map"), "wrong-" + rule + (rule == "names" ? "_" : ""), rule);
    CAPTURE(rule, wrong.reason, kit::name_of(wrong.outcome));
    CHECK(wrong.outcome != kit::Outcome::kept);
    CHECK(wrong.outcome != kit::Outcome::skipped);
    CHECK(wrong.reason.find("it has no driver") == std::string::npos);
    CHECK(wrong.reason.find("it does not load") == std::string::npos);
  }
}

std::string words_of(std::string text) {
  std::string words;
  bool space = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\n' || c == ' ' || c == '\t') c = ' ';
    if (c == '*' && i && (text[i - 1] == ' ' || text[i - 1] == '/')) continue; // of a comment
    if (c == '/' && (i + 1 < text.size() && text[i + 1] == '*')) continue;
    if (c == '/' && i && text[i - 1] == '*') continue;
    if (c == ' ' && space) continue;
    space = c == ' ';
    words += c;
  }
  return words;
}

} // namespace

TEST_CASE("Each rule of the kit is broken by a driver that was made for it, first quarter") { each_can_fail(0, 4); }
TEST_CASE("Each rule of the kit is broken by a driver that was made for it, second quarter") { each_can_fail(1, 4); }
TEST_CASE("Each rule of the kit is broken by a driver that was made for it, third quarter") { each_can_fail(2, 4); }
TEST_CASE("Each rule of the kit is broken by a driver that was made for it, fourth quarter") { each_can_fail(3, 4); }

TEST_CASE("A driver that keeps the contract breaks no rule of the kit") {
  kit::Subject subject;
  subject.file = plugin("map");
  subject.driver = "right";
  kit::How how;
  how.seed = 1;
  how.limit = std::chrono::seconds(30);
  for (const kit::Result &each : kit::try_rules(subject, how)) {
    CAPTURE(each.rule->name, each.reason);
    if (each.outcome == kit::Outcome::skipped)
      CHECK((not_for_right.contains(each.rule->name) || each.rule->name == "schema"));
    else
      CHECK(each.outcome == kit::Outcome::kept);
  }
}

TEST_CASE("Each rule of the kit quotes a sentence of the headers") {
  std::string headers;
  for (const auto &each : std::filesystem::recursive_directory_iterator(OMNISTORE_SOURCE "/sdk/include/omnistore"))
    if (each.path().extension() == ".h") {
      std::stringstream text;
      text << std::ifstream(each.path()).rdbuf();
      headers += words_of(text.str());
    }
  for (const kit::Rule *rule : kit::all_rules()) {
    INFO(rule->name << ": " << rule->says);
    CHECK(headers.find(words_of(std::string(rule->says))) != std::string::npos);
  }
}

TEST_CASE("The names of the kit's rules are words joined by '-', each once") {
  std::set<std::string_view> names;
  for (const kit::Rule *rule : kit::all_rules()) {
    CHECK(names.insert(rule->name).second);
    CHECK(rule->name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == rule->name.npos);
  }
}

TEST_CASE("A rule that fails at random operations is reported with the few that are enough") {
  const kit::Result result = only(plugin("map"), "wrong-model", "model");
  REQUIRE(result.outcome == kit::Outcome::broken);
  CAPTURE(result.reason);
  CHECK(std::count(result.reason.begin(), result.reason.end(), '\n') <= 5);
  CHECK(result.reason.find("remove d:e:f") != std::string::npos);
}
