// SPDX-License-Identifier: Apache-2.0
// inspect and explain.
#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>
#include <regex>

#include "program.hpp"
#include "support/origin.hpp"

using test::Front;
using test::lines;
using test::Result;
using test::says;
using test::Strings;

namespace {

boost::json::object line_of(const std::string &text, std::size_t which) {
  const Strings all = lines(text);
  REQUIRE(which < all.size());
  return boost::json::parse(all[which]).as_object();
}

void put_files(const test::Place &place, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    test::write_file(place.folder.path() / "root" / "many" / std::to_string(i), std::to_string(i));
}

} // namespace

TEST_CASE("inspect shows all that the guide's inspector shows, and more") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "doc:user", "{ \"name\": \"Ada\" }", "--ttl", "1h"}).code == 0);
  REQUIRE(omnistore({"set", "doc:kept", "for ever"}).code == 0);
  const Result shown = omnistore({"inspect", "doc:"});
  CHECK(shown.code == 0);
  CHECK(shown.err.empty());
  const Strings all = lines(shown.out);
  REQUIRE(all.size() == 7);
  CHECK(all[0] == "Storage contents (2 keys) with prefix \"doc:\":");
  const std::size_t user = all[1].starts_with("- doc:user ") ? 1 : 4, kept = user == 1 ? 4 : 1;
  const std::regex ends(R"(- doc:user \(expires: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\))");
  CHECK(std::regex_match(all[user], ends));
  CHECK(all[user + 1] == "  Value: {\"name\":\"Ada\"}");
  CHECK(std::regex_match(all[user + 2], std::regex(R"(  Size: 17 B, age: \S+, mount: \(root\), answers: fs)")));
  CHECK(all[kept] == "- doc:kept (expires: never)");
  CHECK(all[kept + 1] == "  Value: for ever");
}

TEST_CASE("inspect says how many more there are, and --cursor continues there") {
  const Front omnistore(GENERATE(false, true));
  put_files(omnistore.place, 45);
  const Result first = omnistore({"inspect", "many"});
  Strings all = lines(first.out);
  REQUIRE(all.size() == 63);
  // The count stands there only if it is known at once.
  CHECK(std::regex_match(all[0], std::regex("Storage contents( \\(45 keys\\))? with prefix \"many:\":")));
  CHECK(all[61] == "... and 25 more keys");
  Strings keys;
  std::string cursor;
  do {
    Strings command{"--json", "inspect", "many", "--limit", "7"};
    if (!cursor.empty()) command.insert(command.end(), {"--cursor", cursor});
    const Strings page = lines(omnistore(command).out);
    for (std::size_t i = 0; i + 1 < page.size(); ++i)
      keys.emplace_back(boost::json::parse(page[i]).at("key").as_string());
    const boost::json::value last = boost::json::parse(page.back());
    CHECK(last.at("more") == 45 - keys.size());
    cursor = last.at("cursor").is_null() ? "" : std::string(last.at("cursor").as_string());
  } while (!cursor.empty());
  CHECK(keys.size() == 45);
  std::sort(keys.begin(), keys.end());
  CHECK(std::unique(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("inspect --no-count reports that there are more, not how many") {
  const Front omnistore(GENERATE(false, true));
  put_files(omnistore.place, 5);
  const Result shown = omnistore({"inspect", "--no-count", "--limit", "2"});
  CHECK(lines(shown.out)[0] == "Storage contents:");
  CHECK(says(shown.out, "\n... and more keys\n"));
  CHECK(line_of(omnistore({"--json", "inspect", "--no-count", "--limit", "2"}).out, 2).at("more").is_null());
}

TEST_CASE("inspect --json is an object a key, and one for all") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a:b", "text", "--ttl", "1h"}).code == 0);
  const Result shown = omnistore({"--json", "inspect"});
  const auto entry = line_of(shown.out, 0), all = line_of(shown.out, 1);
  CHECK(entry.at("key") == "a:b");
  CHECK(entry.at("meta").at("size") == 4);
  CHECK(entry.at("meta").at("expiry").is_int64());
  CHECK(entry.at("age").as_int64() >= 0);
  CHECK(entry.at("mount") == "");
  CHECK(entry.at("layer").at("driver") == "fs");
  CHECK(entry.at("preview") == boost::json::value{{"kind", "text"}, {"text", "text"}, {"cut", false}});
  CHECK(all == boost::json::object{{"keys", 1}, {"shown", 1}, {"more", 0}, {"cursor", nullptr}});
}

TEST_CASE("inspect shows bytes as hex, an empty value, and no more of a value than requested") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", "-f", "-"}, {.input = std::string("\0\xff\n", 3)}).code == 0);
  CHECK(says(omnistore({"inspect"}).out, "  Value: 00 ff 0a\n  Size: 3 B"));
  REQUIRE(omnistore({"set", "k", ""}).code == 0);
  CHECK(says(omnistore({"inspect"}).out, "  Value: \n  Size: 0 B"));
  REQUIRE(omnistore({"set", "k", "-f", "-"}, {.input = std::string(3'000'000, 'x')}).code == 0);
  const std::string out = omnistore({"inspect", "--preview", "5"}).out;
  CHECK(says(out, "  Value: xxxxx...\n  Size: 2.9 MiB"));
  CHECK_FALSE(says(omnistore({"inspect", "--preview", "0"}).out, "Value"));
}

TEST_CASE("Nothing of a key or a value reaches the terminal as a control character") {
  const Front omnistore(GENERATE(false, true));
  const std::string key = "odd:\x1b]0;title\x07\xc2\x9b";
  REQUIRE(omnistore({"set", key, "\x1b[31mred\xe2\x80\xae"}).code == 0);
  for (const Strings &command : {Strings{"inspect"}, Strings{"inspect", "--tree"}, Strings{"explain", key}}) {
    const std::string out = omnistore(command).out;
    CHECK_FALSE(std::any_of(out.begin(), out.end(), [](unsigned char c) { return c < 0x20 && c != '\n'; }));
    CHECK_FALSE(says(out, "\xc2\x9b"));
    CHECK_FALSE(says(out, "\xe2\x80\xae"));
  }
  CHECK(says(omnistore({"inspect"}).out, "\\x1b[31mred\\u{202e}"));
}

TEST_CASE("inspect of a value that cannot be read says so in its place, and continues") {
  test::Origin origin;
  for (const char *path : {"/a", "/b", "/c"}) origin.serve(path, "value");
  origin.handle([](const test::Origin::Request &request) -> std::optional<test::Origin::Answer> {
    test::Origin::Answer refused;
    refused.status = 403;
    return request.path == "/b" ? std::optional(refused) : std::nullopt;
  });
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc",
                   R"({ "mounts": { "": { "driver": "http", "options": { "base": ")" + origin.url() + R"(" } } } })");
  const test::Setting here{.folder = folder.path().string()};
  const Result shown = test::omnistore({"inspect"}, here);
  CHECK(shown.code == 3);
  CHECK(says(shown.out, "- a (expires: never)\n  Value: value\n"));
  CHECK(says(shown.out, "- b\n  Error reading b: get b (mount root, driver http): "));
  CHECK(says(shown.out, "- c (expires: never)\n  Value: value\n"));
  CHECK(line_of(test::omnistore({"--json", "inspect"}, here).out, 1).at("error").at("status") == "denied");
}

TEST_CASE("inspect of a host whose admin does not respond leaves mount and layer out, and says why") {
  const test::Place place;
  const test::Host host(place.config());
  const Strings where{"--url", host.url, "--admin-url", "http://127.0.0.1:1"};
  Strings set = where, inspect = where, as_json = where;
  set.insert(set.end(), {"set", "mem:k", "v"});
  inspect.insert(inspect.end(), {"inspect"});
  as_json.insert(as_json.end(), {"--json", "inspect"});
  REQUIRE(test::omnistore(set).code == 0);
  const Result shown = test::omnistore(inspect);
  CHECK(shown.code == 0);
  CHECK(says(shown.out, "mount: -, answers: -\n"));
  CHECK(says(shown.err, "mounts and layers are not known"));
  CHECK(line_of(test::omnistore(as_json).out, 0).at("layer").is_null());
}

TEST_CASE("inspect --tree counts keys and bytes by folder") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a:b:c", "a:b:d", "a:e", "f"}) REQUIRE(omnistore({"set", key, "12345"}).code == 0);
  REQUIRE(omnistore({"set", "z:k", "1"}).code == 0);
  CHECK(omnistore({"inspect", "--tree"}).out == "FOLDER                   KEYS  SIZE\n"
                                                "(all)                    5     21 B\n"
                                                "├─ a:                    3     15 B\n"
                                                "│  ├─ b:                 2     10 B\n"
                                                "│  └─ (keys right here)  1     5 B\n"
                                                "├─ z:                    1     1 B\n"
                                                "└─ (keys right here)     1     5 B\n");
  CHECK(omnistore({"inspect", "a", "--tree", "--depth", "0"}).out == "FOLDER  KEYS  SIZE\n"
                                                                     "a:      3     15 B\n");
  CHECK(omnistore({"inspect", "--tree", "--limit", "1", "--depth", "1", "--no-sizes"}).out ==
        "FOLDER                    KEYS  SIZE\n"
        "(all)                     5     -\n"
        "├─ a:                     3     -\n"
        "├─ ... and 1 more folder  1     -\n"
        "└─ (keys right here)      1     -\n");
}

TEST_CASE("inspect --tree --sort puts the largest first, and --json is a line a folder") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a:1", "1"}).code == 0);
  REQUIRE(omnistore({"set", "b:1", "12345"}).code == 0);
  const std::string out = omnistore({"--json", "inspect", "--tree", "--sort", "size"}).out;
  CHECK(line_of(out, 0) ==
        boost::json::object{{"folder", "b:"}, {"keys", 1}, {"size", 5}, {"direct", 1}, {"folders", 0}});
  CHECK(line_of(out, 1).at("folder") == "a:");
  CHECK(line_of(out, 2) ==
        boost::json::object{{"folder", ""}, {"keys", 2}, {"size", 6}, {"direct", 0}, {"folders", 2}});
  CHECK(omnistore({"inspect", "--tree", "--sort", "colour"}).code == 2);
}

TEST_CASE("explain prints a key's route, and exits as a get does") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a:k", "value", "--ttl", "1h"}).code == 0);
  const Result found = omnistore({"explain", "a/k"});
  CHECK(found.code == 0);
  for (const char *part : {"key      a:k\n", "mount    (root), ttl none\n", "inside   a:k\n", "answers  fs, 5 B",
                           "\nROUTE  ANSWER  TIME", "\nfs     hit     "})
    CHECK(says(found.out, part));
  CHECK(std::regex_search(found.out, std::regex(R"(expires  \d{4}-.*Z, in 59m)")));
  const Result absent = omnistore({"explain", "a:absent"});
  CHECK(absent.code == 1);
  CHECK(says(absent.out, "answers  nobody: no such key\n"));
  CHECK(says(absent.out, "fs     miss"));
  const Result bad = omnistore({"explain", "a:..:b"});
  CHECK(bad.code == 2);
}

TEST_CASE("explain --json prints the admin listener's response") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a:k", "value", "--ttl", "1h"}).code == 0);
  const auto found = omnistore({"--json", "explain", "a:k"}).json();
  CHECK(found.at("mount") == "");
  CHECK(found.at("status") == "ok");
  CHECK(found.at("layer").at("driver") == "fs");
  CHECK(found.at("store").at("outcome") == "hit");
  CHECK(found.at("store").at("time").to_number<double>() > 0);
}

TEST_CASE("explain shows layers as a tree, with those that were not called") {
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc", R"({ "mounts": { "": { "driver": "overlay", "layers": [
    { "driver": "memory" }, { "driver": "fs", "options": { "base": ")" +
                                                   (folder / "low") + R"(" } }, { "driver": "memory" } ] } } })");
  test::write_file(folder / "low/k", "v");
  const Result found = test::omnistore({"explain", "k"}, {.folder = folder.path().string()});
  CHECK(found.code == 0);
  CHECK(says(found.out, "answers  layer 1 (fs), 1 B"));
  CHECK(says(found.out, "\noverlay    hit "));
  CHECK(says(found.out, "\n├─ memory  miss "));
  CHECK(says(found.out, "\n├─ fs      hit "));
  CHECK(says(found.out, "\n└─ memory  not asked  -\n"));
}

TEST_CASE("a size that the store does not know is not shown") {
  test::Origin origin;
  origin.serve("/k", test::Origin::Answer{.body = "value", .chunked = true});
  origin.ranges(false); // whose responses have the whole's size
  const test::Folder folder;
  test::write_file(folder / "omnistore.jsonc",
                   R"({ "mounts": { "": { "driver": "http", "options": { "base": ")" + origin.url() + R"(" } } } })");
  const auto run = [&](const Strings &arguments) { return test::omnistore(arguments, {.folder = folder.path()}); };
  CHECK(run({"get", "k"}).out == "value");
  CHECK_FALSE(says(run({"meta", "k"}).out, "size"));
  CHECK(run({"--json", "meta", "k"}).json().at("meta").at("size").is_null());
  CHECK(says(run({"explain", "k"}).out, "answers  http, unknown size"));
  CHECK(run({"--json", "explain", "k"}).json().at("meta").at("size").is_null());
  CHECK(run({"get", "k", "--range", "1-3"}).out == "alu");
  const Result last = run({"get", "k", "--range", "-2"});
  CHECK(last.code == 5);
  CHECK(says(last.err, "where it ends is not known"));
}
