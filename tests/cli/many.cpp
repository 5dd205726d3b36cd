// SPDX-License-Identifier: Apache-2.0
// Parts of values, and many keys at once, on a config's stores and on a running host alike.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Front;
using test::lines;
using test::Result;
using test::says;

TEST_CASE("get --range prints a part of a value") {
  const Front omnistore(GENERATE(false, true));
  const std::string key = GENERATE(as<std::string>(), "k", "deep/er:k");
  REQUIRE(omnistore({"set", key, "0123456789"}).code == 0);
  const auto part = [&](const char *range) { return omnistore({"get", key, "--range", range}); };
  CHECK(part("2-4").out == "234");
  CHECK(part("7-").out == "789");
  CHECK(part("-3").out == "789");
  CHECK(part("-30").out == "0123456789");
  CHECK(part("8-100").out == "89");
  const Result behind = part("10-");
  CHECK(behind.code == 2);
  CHECK(says(behind.err, "after the value's end"));
  CHECK(omnistore({"get", "absent", "--range", "0-1"}).code == 1);
  CHECK(omnistore({"set", "empty", ""}).code == 0);
  const test::Result last_of_nothing = omnistore({"get", "empty", "--range", "-1000"});
  CHECK(last_of_nothing.code == 0);
  CHECK(last_of_nothing.out.empty());
  CHECK(omnistore({"get", "empty", "--range", "0-"}).code == 2);
  for (const char *wrong : {"", "-", "a-b", "5-2", "0-1,3-4"}) CHECK(part(wrong).code == 2);
  CHECK(omnistore({"--json", "get", key, "--range", "2-4"}).json().at("value") == "234");
}

TEST_CASE("A value longer than a piece comes out of set -f byte for byte, from a file and a pipe") {
  const Front omnistore(GENERATE(false, true));
  std::string value(5'000'001, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * i / 7);
  const std::string file = omnistore.place.folder / "in";
  test::write_file(file, value);
  const std::string key = GENERATE(as<std::string>(), "k", "deep/er:k");
  CHECK(omnistore({"--json", "set", key, "-f", file}).json().at("size") == value.size());
  CHECK((omnistore({"get", key}).out == value));
  CHECK(omnistore({"set", key + "2", "-f", "-"}, {.input = value}).code == 0);
  CHECK((omnistore({"get", key + "2"}).out == value));
}

TEST_CASE("set of a long value keeps its condition and ttl") {
  const Front omnistore(GENERATE(false, true));
  const std::string value(3'000'000, 'v');
  const Result first = omnistore({"set", "k", "-f", "-", "--ttl", "1h", "--if-absent"}, {.input = value});
  CHECK(first.code == 0);
  CHECK(omnistore({"set", "k", "-f", "-", "--if-absent"}, {.input = value}).code == 4);
  CHECK(omnistore({"--json", "meta", "k"}).json().at("meta").at("expiry").is_int64());
}

TEST_CASE("get of many keys prints JSON lines in the order of the arguments, and reports each that fails") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a", "1"}).code == 0);
  REQUIRE(omnistore({"set", "x:b", "-f", "-"}, {.input = "\xff"}).code == 0);
  REQUIRE(omnistore({"set", "c", "3"}).code == 0);
  const Result got = omnistore({"get", "c", "absent", "x/b", "a"});
  CHECK(got.code == 1);
  CHECK(says(got.err, "get absent: no such key"));
  const auto all = lines(got.out);
  REQUIRE(all.size() == 3);
  CHECK(boost::json::parse(all[0]).at("value") == "3");
  CHECK(boost::json::parse(all[1]).at("key") == "x:b");
  CHECK(boost::json::parse(all[1]).at("base64") == "/w==");
  CHECK(boost::json::parse(all[2]).at("meta").at("size") == 1);
}

TEST_CASE("get --from reads keys, JSON strings and objects, from a file and a pipe") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a", "b", "c d"}) REQUIRE(omnistore({"set", key, key}).code == 0);
  const std::string input = "a\r\n\n\"b\"\n{\"key\":\"c d\",\"meta\":{}}";
  const auto values = [](const Result &result) {
    std::string all;
    for (const std::string &line : lines(result.out))
      all += std::string(boost::json::parse(line).at("value").as_string()) + ";";
    return all;
  };
  CHECK(values(omnistore({"get", "--from", "-"}, {.input = input})) == "a;b;c d;");
  test::write_file(omnistore.place.folder / "keys", input);
  CHECK(values(omnistore({"get", "--from", omnistore.place.folder / "keys"})) == "a;b;c d;");
  const Result wrong = omnistore({"get", "--from", "-"}, {.input = "a\n{\"name\":1}\n"});
  CHECK(wrong.code == 2);
  CHECK(says(wrong.err, "line 2"));
}

TEST_CASE("set --from stores the output of a get of many, and rm --from removes it") {
  const Front omnistore(GENERATE(false, true));
  std::string input;
  constexpr int count = 1000;
  for (int i = 0; i < count; ++i) {
    const std::string key = (i % 2 ? "y:" : "x:") + std::to_string(i);
    input += "{\"key\":\"" + key + "\",\"value\":\"" + std::to_string(i) + "é\\u0001\"}\n";
  }
  input += "{\"key\":\"bytes\",\"base64\":\"/wA=\"}\n";
  const Result set = omnistore({"set", "--from", "-"}, {.input = input});
  CHECK(set.code == 0);
  CHECK(set.err.empty());
  const Result keys = omnistore({"ls"});
  CHECK(lines(keys.out).size() == count + 1);
  const Result values = omnistore({"get", "--from", "-"}, {.input = keys.out});
  CHECK(values.code == 0);
  CHECK(omnistore({"rm", "--from", "-"}, {.input = keys.out}).code == 0);
  CHECK(omnistore({"ls"}).out.empty());
  CHECK(omnistore({"set", "--from", "-"}, {.input = values.out}).code == 0);
  CHECK(omnistore({"get", "y:7"}).out == "7é\x01");
  CHECK(omnistore({"get", "bytes"}).out == std::string("\xff\0", 2));
}

TEST_CASE("set --from continues after an item that fails, and its code says so") {
  const Front omnistore(GENERATE(false, true));
  const Result set = omnistore({"set", "--from", "-"}, {.input = R"({"key":"a","value":"1"}
{"key":"fixed:a","value":"2"}
{"key":"c","value":"3","ttl":"1h"}
)"});
  CHECK(set.code == 3);
  CHECK(says(set.err, "fixed:a"));
  CHECK(omnistore({"get", "c"}).out == "3");
  CHECK(omnistore({"--json", "meta", "c"}).json().at("meta").at("expiry").is_int64());
  CHECK(omnistore({"--json", "meta", "a"}).json().at("meta").at("expiry").is_null());
}

TEST_CASE("set --from stores a value of many MiB beside short ones") {
  const Front omnistore(GENERATE(false, true));
  const std::string value(6'000'000, 'v');
  const std::string line = R"({"key":"short","value":"s"})";
  const Result set =
      omnistore({"set", "--from", "-"}, {.input = line + "\n{\"key\":\"long\",\"value\":\"" + value + "\"}\n"});
  CHECK(set.code == 0);
  CHECK((omnistore({"get", "long"}).out == value));
  CHECK(omnistore({"get", "short", "long"}).out.size() > value.size());
}

TEST_CASE("A line of set --from that is malformed is named") {
  const Front omnistore(false);
  for (const char *line : {"a", "{\"key\":\"a\"}", "{\"key\":\"a\",\"value\":1}", "{\"key\":\"a\",\"base64\":\"?\"}",
                           "{\"key\":\"a\",\"value\":\"x\",\"ttl\":\"soon\"}"}) {
    INFO(line);
    const Result set =
        omnistore({"set", "--from", "-"}, {.input = std::string("{\"key\":\"b\",\"value\":\"\"}\n") + line});
    CHECK(set.code == 2);
    CHECK(says(set.err, "standard input, line 2"));
  }
}

TEST_CASE("Commands without a key say how to give one") {
  const Front omnistore(false);
  for (const char *command : {"get", "rm", "set"}) {
    const Result result = omnistore({command});
    CHECK(result.code == 2);
    CHECK(says(result.err, "--from"));
  }
}

TEST_CASE("touch gives a value another ttl") {
  const Front omnistore(GENERATE(false, true));
  const std::string key = GENERATE(as<std::string>(), "k", "deep/er:k");
  REQUIRE(omnistore({"set", key, "x"}).code == 0);
  CHECK(omnistore({"touch", key, "--ttl", "5m"}).code == 0);
  CHECK(omnistore({"--json", "meta", key}).json().at("meta").at("expiry").is_int64());
  CHECK(omnistore({"touch", key, "--ttl", "0"}).code == 0);
  CHECK(omnistore({"--json", "meta", key}).json().at("meta").at("expiry").is_null());
  CHECK(omnistore({"get", key}).out == "x");
  CHECK(omnistore({"touch", "absent", "--ttl", "5m"}).code == 1);
  CHECK(omnistore({"touch", key}).code == 2);
}
