// SPDX-License-Identifier: Apache-2.0
// Keys that look like others, or act on a terminal: what a command prints as a key is that key to every other command.
#include <algorithm>
#include <random>
#include <set>

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Front;
using test::lines;
using test::Result;
using test::says;
using test::Strings;

namespace {

namespace json = boost::json;

std::set<std::string> nasty_keys() {
  std::set<std::string> keys{"n:a\nprod:db",    "n:\"user:1\"", "n:x\r", "n:\x1b]0;title\x07",
                             "n:\u202egpj.exe", "n:\u009b31m",  "n:t "};
  const std::string parts[] = {"a",      ":",      "\"",   "{",    "}",      "\\u0041", "\n",     "\r",
                               "\t",     " ",      "\x1b", "\x7f", "\u0085", "\u200b",  "\u2028", "\u202e",
                               "\ufeff", "\u00e9", "[",    "]",    ",",      "'",       "-"};
  std::mt19937 random(5);
  while (keys.size() < 200) {
    std::string key = "n:k" + std::to_string(keys.size());
    for (int i = 0; i < 4; ++i) key += parts[random() % std::size(parts)];
    key += "z";
    // Runs of ':' are one, and '\\' is ':' too.
    if (key.find("::") == key.npos && key.find('\\') == key.npos) keys.insert(key);
  }
  return keys;
}

std::string set_lines(const std::set<std::string> &keys) {
  std::string input;
  for (const std::string &key : keys) input += json::serialize(json::object{{"key", key}, {"value", key}}) + "\n";
  return input;
}

/// The keys that `get --from` finds, each with the value that it was set with.
std::set<std::string> found(const Front &omnistore, const std::string &input, const Strings &more = {}) {
  Strings arguments{"get", "--from", "-"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Result result = omnistore(arguments, {.input = input});
  INFO(result.err);
  CHECK(result.code == 0);
  std::set<std::string> keys;
  for (const std::string &line : lines(result.out)) {
    const json::value item = json::parse(line);
    CHECK(item.at("key") == item.at("value"));
    keys.insert(std::string(item.at("key").as_string()));
  }
  return keys;
}

bool acts_on_a_terminal(const std::string &text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n') || c == 0x7f) return true;
    if (c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return says(text, "\u202e") || says(text, "\u2028") || says(text, "\ufeff");
}

} // namespace

TEST_CASE("Keys that ls, inspect and verify print are the same keys to get and rm") {
  const Front omnistore(GENERATE(false, true));
  const std::set<std::string> keys = nasty_keys();
  const std::set<std::string> others{"prod:db", "user:1", "n", "x", "31m"};
  REQUIRE(omnistore({"set", "--from", "-"}, {.input = set_lines(keys)}).code == 0);
  REQUIRE(omnistore({"set", "--from", "-"}, {.input = set_lines(others)}).code == 0);

  const Result listed = omnistore({"ls", "n"}), json_listed = omnistore({"--json", "ls", "n"});
  CHECK_FALSE(acts_on_a_terminal(listed.out));
  CHECK_FALSE(acts_on_a_terminal(json_listed.out));
  CHECK(lines(listed.out).size() == keys.size());
  CHECK(found(omnistore, listed.out) == keys);
  CHECK(found(omnistore, json_listed.out) == keys);
  const Result null = omnistore({"ls", "-0", "n"});
  CHECK(found(omnistore, null.out, {"-0"}) == keys);
  CHECK(omnistore({"inspect", "-0", "n:", "--limit", "1000"}).out == null.out);

  std::string inspected;
  const Result inspect = omnistore({"inspect", "n:", "--limit", "1000"});
  CHECK_FALSE(acts_on_a_terminal(inspect.out));
  for (const std::string &line : lines(inspect.out))
    if (line.starts_with("- ")) inspected += line.substr(2, line.rfind(" (expires: ") - 2) + "\n";
  CHECK(found(omnistore, inspected) == keys);

  if (omnistore({"copy", "n", "mem:none", "--dry-run"}).code == 0) { // there is nothing at the target
    std::string missing;
    const Result verified = omnistore({"verify", "n", "n:none", "--rewrite", "^", "none:"});
    CHECK(verified.code == 1);
    CHECK_FALSE(acts_on_a_terminal(verified.out));
    for (const std::string &line : lines(verified.out)) missing += line.substr(11) + "\n";
    CHECK(lines(missing).size() == keys.size());
    const Result verified_null = omnistore({"verify", "-0", "n", "n:none", "--rewrite", "^", "none:"});
    CHECK(std::count(verified_null.out.begin(), verified_null.out.end(), '\0') == static_cast<long>(keys.size()));
  }

  CHECK(omnistore({"rm", "--from", "-"}, {.input = listed.out}).code == 0);
  CHECK(omnistore({"ls", "n"}).out.empty());
  CHECK(found(omnistore, omnistore({"ls"}).out) == others);
}

TEST_CASE("A line of --from that begins like JSON and is malformed is refused, with its number") {
  const Front omnistore(false);
  REQUIRE(omnistore({"set", "\"a", "x"}).code == 0);
  for (const char *line : {"\"a", "{\"key\":\"a\"", "\"a\" b", "{}", "\"\\ud800\""}) {
    const Result result = omnistore({"rm", "--from", "-"}, {.input = std::string("b\n") + line + "\n"});
    INFO(line << ": " << result.err);
    CHECK(result.code == 2);
    CHECK(says(result.err, "standard input, line 2"));
  }
  CHECK(omnistore({"has", "\"a"}).code == 0);
}

TEST_CASE("A list of keys or items may begin with a byte order mark") {
  const Front omnistore(false);
  const std::string mark = "\xEF\xBB\xBF";
  CHECK(omnistore({"set", "--from", "-"}, {.input = mark + set_lines({"a", "b"})}).code == 0);
  CHECK(found(omnistore, mark + "a\nb\n") == std::set<std::string>{"a", "b"});
}

TEST_CASE("A watch prints each key so that it can be read back, and on request keys alone") {
  const test::Place place;
  test::Host host(place.config());
  const std::string key = "w:\"a\"\n\x1b[2J\u202e";
  const std::string quoted = R"("w:\"a\"\n\u001b[2J\u202e")";
  const bool null = GENERATE(false, true);
  test::Process watch({test::program(), "--url", host.url, "watch", "w", "--count", "1", null ? "-0" : "-q"}, {});
  if (null) watch.error_line();
  Result result;
  std::thread writer; // until the watch has begun it sees no event
  std::atomic<bool> ended{false};
  writer = std::thread([&] {
    while (!ended) test::omnistore({"--url", host.url, "set", key, "v"});
  });
  result = watch.finish();
  ended = true;
  writer.join();
  if (null) {
    CHECK(result.out == key + '\0');
  } else {
    CHECK(says(result.out, "update  " + quoted + "\n"));
    CHECK_FALSE(acts_on_a_terminal(result.out));
  }
}

TEST_CASE("No message shows a key so that it acts on a terminal") {
  const Front omnistore(GENERATE(false, true));
  const std::string key = "gone:\x1b]0;title\x07\u009b31m\u202e\nomnistore: all is well";
  for (const Strings &command : {Strings{"get", key},
                                 {"meta", key},
                                 {"touch", key, "--ttl", "1h"},
                                 {"set", "fixed:" + key, "v"},
                                 {"rm", "fixed:" + key},
                                 {"get", key, "other"},
                                 {"explain", key},
                                 {"watch", key + "\xff"},
                                 {"clear", "fixed:" + key},
                                 {"copy", key, "mem:..:" + key},
                                 {"get", "--range", key, "a"},
                                 {key}}) {
    for (const bool as_json : {false, true}) {
      Strings arguments = command;
      if (as_json) arguments.insert(arguments.begin(), "--json");
      const Result result = omnistore(arguments);
      INFO(command[0] << ": " << result.err);
      CHECK(result.code != 0);
      CHECK_FALSE(acts_on_a_terminal(result.err));
      for (const std::string &line : lines(result.err)) CHECK_FALSE(line.starts_with("omnistore: all is well"));
    }
  }
}
