// SPDX-License-Identifier: Apache-2.0
// get, set, has, rm, meta and clear, on a config's stores and on a running host alike.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Front;
using test::Result;

namespace {

const std::string odd("\0line\r\n\xff\xfe{}[]\"\\\n\0", 18);

} // namespace

TEST_CASE("A value comes out byte for byte as it went in through a pipe") {
  const Front omnistore(GENERATE(false, true));
  CHECK(omnistore({"set", "a:b"}, {.input = odd}).code == 0);
  const Result got = omnistore({"get", "a:b"});
  CHECK(got.code == 0);
  CHECK(got.out == odd);
  CHECK(got.err.empty());
}

TEST_CASE("A long value comes out byte for byte") {
  const Front omnistore(GENERATE(false, true));
  std::string value(3'000'000, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * i / 7);
  REQUIRE(omnistore({"set", "long", "-f", "-"}, {.input = value}).code == 0);
  CHECK(omnistore({"get", "long"}).out == value);
}

TEST_CASE("A value may be an argument that looks like something else") {
  const Front omnistore(false);
  const std::string value = GENERATE(as<std::string>(), "", "[1,2]", "a,b", "\"quoted\"", "{\"x\": [1]}", "get", "a=b",
                                     "line\nline", "%%", " ");
  REQUIRE(omnistore({"set", "k", value}).code == 0);
  CHECK(omnistore({"get", "k"}).out == value);
}

TEST_CASE("A value that begins with a dash stands after two of them") {
  const Front omnistore(false);
  REQUIRE(omnistore({"set", "k", "--", "-5"}).code == 0);
  CHECK(omnistore({"get", "k"}).out == "-5");
}

TEST_CASE("A key may be called like a command") {
  const Front omnistore(false);
  REQUIRE(omnistore({"set", "get", "ls"}).code == 0);
  CHECK(omnistore({"get", "get"}).out == "ls");
}

TEST_CASE("A key is normalised, whatever separators it is written with") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "/a//b\\c d%41é/", "x"}).code == 0);
  CHECK(omnistore({"get", "a:b:c d%41é"}).out == "x");
  CHECK(omnistore({"ls"}).out == "a:b:c d%41é\n");
}

TEST_CASE("A value can be read from a file and written to one") {
  const Front omnistore(GENERATE(false, true));
  const std::string in = omnistore.place.folder / "in", out = omnistore.place.folder / "out";
  test::write_file(in, odd);
  REQUIRE(omnistore({"set", "k", "-f", in}).code == 0);
  test::write_file(out, "older");
  const Result got = omnistore({"get", "k", "-o", out});
  CHECK(got.code == 0);
  CHECK(got.out.empty());
  CHECK(test::read_file(out) == odd);
}

TEST_CASE("A miss leaves the file of get -o as it was, and nothing beside it") {
  const Front omnistore(false);
  const test::Folder folder;
  test::write_file(folder / "out", "older");
  CHECK(omnistore({"get", "absent", "-o", folder / "out"}).code == 1);
  CHECK(test::read_file(folder / "out") == "older");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("get -o writes to a file that is not regular") {
  const Front omnistore(false);
  REQUIRE(omnistore({"set", "k", "x"}).code == 0);
  CHECK(omnistore({"get", "k", "-o", "/dev/null"}).code == 0);
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("get --json gives text as value and other bytes as base64, with meta") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "text", "é\n"}).code == 0);
  REQUIRE(omnistore({"set", "bytes", "-f", "-"}, {.input = std::string("\xff\0\x01\x02", 4)}).code == 0);
  const auto text = omnistore({"--json", "get", "text"}).json();
  CHECK(text.at("key") == "text");
  CHECK(text.at("value") == "é\n");
  CHECK(text.at("meta").at("size") == 3);
  CHECK(text.at("meta").at("mtime").is_int64());
  CHECK(text.at("meta").at("expiry").is_null());
  const auto bytes = omnistore({"get", "bytes", "--json"}).json();
  CHECK(bytes.at("base64") == "/wABAg==");
  CHECK_FALSE(bytes.as_object().contains("value"));
}

TEST_CASE("has reports by its exit code") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", ""}).code == 0);
  const Result there = omnistore({"has", "k"}), absent = omnistore({"has", "other"});
  CHECK(there.code == 0);
  CHECK(absent.code == 1);
  CHECK((there.out + there.err + absent.out + absent.err).empty());
  CHECK(omnistore({"--json", "has", "other"}).json().at("has") == false);
}

TEST_CASE("rm removes keys, and an absent key is no failure") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a", "[b,c]", "d"}) REQUIRE(omnistore({"set", key, "x"}).code == 0);
  const Result removed = omnistore({"rm", "a", "absent", "[b,c]", "--json"});
  CHECK(removed.code == 0);
  CHECK(removed.out == "{\"key\":\"a\"}\n{\"key\":\"absent\"}\n{\"key\":\"[b,c]\"}\n");
  CHECK(omnistore({"ls"}).out == "d\n");
}

TEST_CASE("rm removes the other keys if one cannot be removed") {
  const Front omnistore(GENERATE(false, true));
  test::write_file(omnistore.place.folder / "fixed" + "/k", "x");
  REQUIRE(omnistore({"set", "a", "x"}).code == 0);
  const Result removed = omnistore({"rm", "fixed:k", "a"});
  CHECK(removed.code == 3);
  CHECK(removed.err.find("fixed:k") != std::string::npos);
  CHECK(omnistore({"has", "a"}).code == 1);
}

TEST_CASE("A ttl ends a value, and meta shows when") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", "x", "--ttl", "1h"}).code == 0);
  const auto meta = omnistore({"--json", "meta", "k"}).json().at("meta");
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  CHECK(std::abs(meta.at("expiry").as_int64() - (now + 3'600'000)) < 60'000);
  REQUIRE(omnistore({"set", "k", "x", "--ttl", "1ms"}).code == 0);
  // The host's clock moves on by the kernel's tick, which is longer than the program takes.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int code = 0;
  while (code == 0 && std::chrono::steady_clock::now() < end) code = omnistore({"get", "k"}).code;
  CHECK(code == 1);
}

TEST_CASE("meta is printed for people and as JSON, with the user's own") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", "12345"}).code == 0);
  REQUIRE(omnistore({"set", "k$", R"({"color":"red"})"}).code == 0);
  const Result text = omnistore({"meta", "k"});
  CHECK(text.out.find("size    5\n") != std::string::npos);
  CHECK(text.out.find("expiry  never\n") != std::string::npos);
  const auto meta = omnistore({"meta", "k", "--json"}).json();
  CHECK(meta.at("key") == "k");
  CHECK(meta.at("meta").at("size") == 5);
  CHECK(meta.at("meta").at("user").at("color") == "red");
}

TEST_CASE("Conditions of set hold or end with 4") {
  const Front omnistore(true); // the root is files, which others may write; memory has all conditions
  CHECK(omnistore({"set", "mem:k", "1", "--if-present"}).code == 4);
  CHECK(omnistore({"set", "mem:k", "1", "--if-absent"}).code == 0);
  CHECK(omnistore({"set", "mem:k", "2", "--if-absent"}).code == 4);
  CHECK(omnistore({"set", "mem:k", "2", "--if-present"}).code == 0);
  const std::string etag(omnistore({"meta", "mem:k", "--json"}).json().at("meta").at("etag").as_string());
  CHECK(omnistore({"set", "mem:k", "3", "--if-match", "other"}).code == 4);
  CHECK(omnistore({"set", "mem:k", "3", "--if-match", etag}).code == 0);
  CHECK(omnistore({"set", "mem:k", "4", "--if-match", etag}).code == 4);
  CHECK(omnistore({"get", "mem:k"}).out == "3");
}

TEST_CASE("A condition that did not hold is reported, with a remedy") {
  const Front omnistore(true);
  REQUIRE(omnistore({"set", "mem:k", "1"}).code == 0);
  const Result refused = omnistore({"set", "mem:k", "2", "--if-absent"});
  CHECK(refused.err.find("set mem:k: the key exists already") != std::string::npos);
  CHECK(refused.err.find("--if-absent out") != std::string::npos);
  CHECK(omnistore({"set", "mem:k", "2", "--if-absent", "--json"}).error().at("status") == "conflict");
}

TEST_CASE("clear removes the keys under a base and nothing else") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a:1", "a:2:3", "ab", "b"}) REQUIRE(omnistore({"set", key, "x"}).code == 0);
  const Result cleared = omnistore({"clear", "a"});
  CHECK(cleared.code == 0);
  CHECK(omnistore({"ls"}).out == "ab\nb\n");
}

TEST_CASE("clear of everything needs a confirmation") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", "x"}).code == 0);
  const Result refused = omnistore({"clear"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("-y") != std::string::npos);
  CHECK(omnistore({"has", "k"}).code == 0);
}

TEST_CASE("clear -y removes everything") {
  const Front omnistore(GENERATE(false, true), "writable");
  REQUIRE(omnistore({"set", "k", "x"}).code == 0);
  REQUIRE(omnistore({"set", "a:b", "x"}).code == 0);
  CHECK(omnistore({"clear", "-y"}).code == 0);
  CHECK(omnistore({"ls"}).out.empty());
}
