// SPDX-License-Identifier: Apache-2.0
// Dumps: what they hold, who can read them, and how damage shows.
#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/origin.hpp"

using test::omnistore;
using test::says;

namespace {

/// A config with files at `a` and `b`, of which `a` has some of every kind.
class Dumps {
public:
  Dumps() {
    test::write_file(config(), R"({ "mounts": {
      "a": { "driver": "fs", "options": { "base": ")" +
                                   (folder / "a") + R"(" } },
      "b": { "driver": "fs", "options": { "base": ")" +
                                   (folder / "b") + R"(" } } } })");
    for (int i = 0; i < 300; ++i) test::write_file(folder / ("a/k/" + std::to_string(i)), std::to_string(i));
    test::write_file(folder / "a/binary", std::string("\0\xff\n", 3));
    test::write_file(folder / "a/empty", "");
    test::write_file(folder / "a/text", "\"\\\n\t\u00e4\u20ac");
    std::string big;
    for (int i = 0; i < 400'000; ++i) big += "\u00e4" + std::to_string(i % 7); // parts end within characters
    test::write_file(folder / "a/long", big);
    test::write_file(folder / "a/middle", std::string(500'000, '\xfe'));
    (*this)({"set", "a:ends", "v", "--ttl", "1h"});
    (*this)({"set", "a:text$", R"({"by":"me"})"});
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
  std::string file() const { return folder / "dump.jsonl"; }
  test::Result operator()(test::Strings arguments, const std::string &input = "") const {
    arguments.insert(arguments.begin(), {"-c", config(), "--json"});
    return omnistore(arguments, {.input = input, .variables = {{"XDG_STATE_HOME", folder / "state"}}});
  }
  std::string dump() const {
    const test::Result result = (*this)({"dump", "a", "-o", file()});
    INFO(result.err);
    REQUIRE(result.code == 0);
    return test::read_file(file());
  }
  /// Restores a text under b.
  test::Result restore(const std::string &text, test::Strings more = {}) const {
    test::write_file(folder / "given.jsonl", text);
    more.insert(more.begin(), {"restore", "b", folder / "given.jsonl"});
    return (*this)(more);
  }
  bool same() const { return (*this)({"verify", "a", "b", "--meta"}).code == 0; }
  std::size_t restored() const { return test::lines((*this)({"ls", "b"}).out).size(); }

  test::Folder folder;
};

constexpr std::size_t entries = 306;

std::size_t line_start(const std::string &text, std::size_t number) {
  std::size_t at = 0;
  for (std::size_t line = 1; line < number; ++line) at = text.find('\n', at) + 1;
  return at;
}

} // namespace

TEST_CASE("a restored dump has the same values, meta and expiries, from a file and through a pipe") {
  const Dumps here;
  const std::string text = here.dump();
  CHECK(here.restore(text).code == 0);
  CHECK(here.same());
  CHECK(here({"clear", "b", "-y"}).code == 0);
  const test::Result piped = here({"dump", "a"});
  CHECK(piped.code == 0);
  CHECK(boost::json::parse(piped.err).at("copied") == entries);
  CHECK(here({"restore", "b"}, piped.out).code == 0);
  CHECK(here.same());
  CHECK_FALSE(std::filesystem::exists(here.file() + ".part"));
}

TEST_CASE("a dump has no byte that acts on a terminal, and its entries are restored as they were") {
  const Dumps here;
  const test::Strings points{"\x7f", "\u0085", "\u009b31m", "\u202e", "\u2066", "\ufeff", "\U000e0041"};
  std::string acts;
  for (const std::string &point : points) acts += point;
  CHECK(here({"set", "a:" + acts, "-f", "-"}, acts).code == 0);
  CHECK(here({"set", "a:" + acts + "$", "{\"by\":\"" + acts + "\"}"}).code == 0);
  const std::string text = here.dump();
  for (const std::string &point : points) CHECK(text.find(point) == std::string::npos);
  CHECK(here.restore(text).code == 0);
  CHECK(here.same());
}

TEST_CASE("another program reads a dump by FORMAT.md, and finds every checksum right") {
  const Dumps here;
  here.dump();
  const std::string reader = R"(
    const { createHash } = require("crypto"), fs = require("fs"), assert = require("assert");
    const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
    const bytes = (line) => "value" in line ? Buffer.from(line.value, "utf8") : Buffer.from(line.base64, "base64");
    const text = fs.readFileSync(process.argv[1]);
    const lines = text.toString("utf8").split("\n").slice(0, -1);
    const head = JSON.parse(lines[0]), last = JSON.parse(lines.at(-1));
    assert.equal(head.omnistore, "dump"); assert.equal(head.version, 1); assert.equal(head.base, "a");
    let entries = 0, size = 0, parts, name;
    for (const line of lines.slice(1, -1).map((each) => JSON.parse(each))) {
      const check = (key, value) => {
        assert.equal(sha(value), line.sha256); assert.equal(value.length, line.size);
        assert.ok(value.equals(fs.readFileSync(process.argv[2] + "/" + key.replaceAll(":", "/"))));
        ++entries, size += value.length;
      };
      if (line.long) parts = [], name = line.key;
      else if ("part" in line) assert.equal(parts.push(bytes(line)) - 1, line.part);
      else if (line.end) { assert.equal(line.end, name); assert.equal(line.parts, parts.length); check(name, Buffer.concat(parts)); }
      else if (line.key) check(line.key, bytes(line));
      if (line.key === "text") assert.equal(line.meta, '{"by":"me"}');
      if (line.key === "ends") assert.ok(line.expiry > Date.now());
    }
    assert.equal(entries, last.entries); assert.equal(size, last.bytes); assert.equal(lines.length - 1, last.lines);
    assert.equal(sha(text.subarray(0, text.lastIndexOf("{\"entries\""))), last.sha256);
    console.log(entries);
  )";
  const test::Result result =
      test::run_command({"node", "-e", reader, here.file(), (here.folder.path() / "a").string()});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(result.out == std::to_string(entries) + "\n");
}

TEST_CASE("a dump that was cut off anywhere is reported, and its whole entries are restored") {
  const Dumps here;
  const std::string text = here.dump();
  std::size_t longest = text.find("\"long\":true");
  for (const std::size_t cut : {text.size() - 1, text.rfind("{\"entries\""), text.size() / 2, longest,
                                longest + 600'000, text.find('\n') + 1}) {
    const test::Result result = here.restore(text.substr(0, cut), {"--restart"});
    INFO("cut at " << cut << " of " << text.size() << ": " << result.err);
    CHECK(result.code == 7);
    CHECK(says(result.err, "cut off"));
  }
  CHECK(here.restore(text.substr(0, 20)).code == 7);
  // Nothing of a value that was cut off was set: what is there is right.
  for (const std::string &line : test::lines(here({"verify", "a", "b"}).out)) CHECK_FALSE(says(line, "different"));
  CHECK(here.restore(text, {"--restart"}).code == 0);
  CHECK(here.same());
}

TEST_CASE("a byte that was altered is reported with its line, and nothing of that entry is set") {
  const Dumps here;
  const std::string text = here.dump();
  struct Damage {
    const char *what, *with, *key;
  };
  for (const auto &[what, with, key] :
       {Damage{R"("value":"17")", R"("value":"71")", "k:17"},
        Damage{R"(,"base64":"AP8K")", R"(,"base64":"AP8L")", "binary"},
        Damage{R"({"part":1,)", R"({"part":2,)", "long"}, Damage{R"({"key":"empty")", R"({"kex":"empty")", "empty"}}) {
    std::string damaged = text;
    const std::size_t at = damaged.find(what);
    REQUIRE(at != damaged.npos);
    damaged.replace(at, std::string(what).size(), with);
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    const test::Result result = here.restore(damaged, {"--restart"});
    INFO(what << ": " << result.err);
    CHECK(result.code == 7);
    if (std::string(key) != "empty") CHECK(says(result.err, "line " + std::to_string(line) + ":"));
    CHECK(says(result.err, "the dump was altered"));
    CHECK(here({"has", std::string("b:") + key}).code == 1);
    CHECK(here.restored() == entries - 1);
    CHECK(here({"clear", "b", "-y"}).code == 0);
  }
  // A line that is missing.
  std::string shorter = text;
  const std::size_t at = line_start(text, 100);
  shorter.erase(at, text.find('\n', at) + 1 - at);
  CHECK(says(here.restore(shorter, {"--restart"}).err, "lines before it"));
}

TEST_CASE("an entry that has ended since it was dumped is not restored") {
  const Dumps here;
  std::string text = here.dump();
  const std::size_t at = text.find("\"expiry\":") + std::string("\"expiry\":").size();
  text.erase(at, 1); // a moment in the last century; no checksum of the value's is touched
  const test::Result result = here.restore(text);
  CHECK(result.code == 7); // but the dump was altered
  CHECK(result.json().at("expired") == 1);
  CHECK(here({"has", "b:ends"}).code == 1);
}

TEST_CASE("a restore keeps to --on-conflict, --rewrite and --dry-run") {
  const Dumps here;
  const std::string text = here.dump();
  CHECK(here.restore(text, {"--dry-run"}).json().at("copied") == entries);
  CHECK(here.restored() == 0);
  CHECK(here({"set", "b:k:3", "theirs"}).code == 0);
  CHECK(here.restore(text, {"--dry-run"}).json().at("conflict") == 1);
  CHECK(here.restore(text).code == 4);
  CHECK(here.restore(text, {"--resume", "--on-conflict", "skip"}).json().at("skipped") == 1);
  CHECK(here({"get", "b:k:3"}).out.find("theirs") != std::string::npos);
  CHECK(here.restore(text, {"--on-conflict", "overwrite"}).json().at("copied").as_int64() >= 1);
  CHECK(here.same());
  CHECK(here.restore(text, {"--rewrite", "^k:", "n:"}).json().at("copied") == 300);
  CHECK(here({"has", "b:n:299"}).code == 0);
}

TEST_CASE("a dump may begin with a byte order mark") {
  const Dumps here;
  const test::Result result = here.restore("\xEF\xBB\xBF" + here.dump());
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(here.same());
}

TEST_CASE("a dump into the dumped store has neither itself nor an older one as a value") {
  const Dumps here;
  const std::string file = here.folder / "a/k/dump.jsonl";
  for (int i = 0; i < 2; ++i) {
    const test::Result result = here({"dump", i == 0 ? "a" : "/", "-o", file});
    INFO(result.err);
    CHECK(result.code == 0);
    CHECK_FALSE(says(test::read_file(file), "dump.jsonl"));
  }
}

TEST_CASE("an entry that would replace the dump that is read is refused, and the others are set") {
  const Dumps here;
  std::string text = here.dump();
  const std::string file = here.folder / "b/k/7"; // the place of an entry
  test::write_file(file, text);
  const test::Result result = here({"restore", "b", file});
  CHECK(result.code == 2);
  CHECK(says(result.err, "b:k:7 is a file that this restore uses"));
  CHECK(test::read_file(file) == text);
  CHECK(test::read_file(here.folder / "b/k/8") == "8");
}

TEST_CASE("a journal that lies in the source is not moved away") {
  const Dumps here;
  const std::string journal = here.folder / "a/k/journal";
  const test::Result result = here({"migrate", "a", "b", "--move", "--journal", journal});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(here.restored() == entries);
  CHECK_FALSE(says(here({"ls", "b"}).out, "journal"));
}

TEST_CASE("a file that is no dump, or a newer one, is refused") {
  const Dumps here;
  CHECK(here.restore("{\"key\":\"a\"}\n").code == 7);
  CHECK(here.restore("").code == 7);
  CHECK(here.restore(R"({"omnistore":"dump","version":2,"base":""})"
                     "\n")
            .code == 5);
}

TEST_CASE("a dump that was cut off resumes from its part, and has each key") {
  const Dumps here;
  const std::string text = here.dump();
  std::filesystem::remove(here.file());
  // As a run that was killed leaves it, at many places.
  for (std::size_t tenth = 1; tenth < 10; ++tenth) {
    test::write_file(here.file() + ".part", text.substr(0, text.size() * tenth / 10));
    if (tenth == 1) CHECK(here({"dump", "a", "-o", here.file()}).code == 4);
    const test::Result result = here({"dump", "a", "-o", here.file(), "--resume"});
    INFO(result.err);
    REQUIRE(result.code == 0);
    CHECK(result.json().at("resumed") == true);
    CHECK(result.json().at("copied") == entries);
    CHECK(here.restore(test::read_file(here.file()), {"--restart"}).code == 0);
    CHECK(here.same());
    CHECK(here({"clear", "b", "-y"}).code == 0);
  }
}

namespace {

/// An origin with the keys a to d, of which b cannot be read.
void refuse_one(test::Origin &origin) {
  origin.handle([](const test::Origin::Request &request) -> std::optional<test::Origin::Answer> {
    test::Origin::Answer answer;
    const std::string_view path = request.path;
    if (path == "/b")
      answer.status = 403;
    else if (path == "/a" || path == "/c" || path == "/d")
      answer.body = "value";
    else if (path.ends_with('/') || path.ends_with(':'))
      answer.body = R"(["a", "b", "c", "d"])";
    else
      answer.status = 404;
    return answer;
  });
}

} // namespace

TEST_CASE("a dump holds every key that can be read, and reports those that cannot") {
  test::Origin origin;
  refuse_one(origin);
  const test::Folder folder;
  const std::string config = folder / "c.jsonc";
  test::write_file(config, R"({ "mounts": { "": { "driver": "http", "options": { "base": ")" + origin.url() +
                               R"(" } }, "copy": { "driver": "fs", "options": { "base": ")" + (folder / "copy") +
                               R"(" } } } })");
  const std::string file = folder / "dump.jsonl";
  const test::Result result = omnistore({"-c", config, "dump", "-o", file});
  INFO(result.err);
  CHECK(result.code == 3);
  CHECK(says(result.err, "get b "));
  CHECK(says(result.err, "1 failed"));
  const test::Result restored =
      omnistore({"-c", config, "restore", "copy", file}, {.variables = {{"XDG_STATE_HOME", folder / "state"}}});
  INFO(restored.err);
  CHECK(restored.code == 0);
  CHECK(omnistore({"-c", config, "ls", "copy"}).out == "copy:a\ncopy:c\ncopy:d\n");
}

TEST_CASE("A verify continues after a value that cannot be read, and reports it") {
  test::Origin origin;
  refuse_one(origin);
  const test::Folder folder;
  const std::string config = folder / "c.jsonc";
  test::write_file(config, R"({ "mounts": { "web": { "driver": "http", "options": { "base": ")" + origin.url() +
                               R"(" } }, "copy": { "driver": "memory" } } })");
  const test::Result result = omnistore({"-c", config, "verify", "web", "copy"});
  INFO(result.out << result.err);
  CHECK(result.code == 1);
  CHECK(says(result.out, "unreadable copy:b\n"));
  for (const char *key : {"a", "c", "d"}) CHECK(says(result.out, std::string("missing    copy:") + key + "\n"));
  CHECK(says(result.err, "get web:b "));
  CHECK(says(result.err, "4 differences"));
}
