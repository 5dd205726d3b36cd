// SPDX-License-Identifier: Apache-2.0
// Sections of the guide on the command line and over HTTP: its configs from config/guide/, served by the built program
// on free ports.
#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/origin.hpp"

namespace {

void replace(std::string &text, const std::string &what, const std::string &with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), with);
}

/// A section's config, served, and a shell beside it in which `omnistore` is the program at work on that host, $URL.
class Section {
public:
  /// `changes`: texts of the config in whose place others stand.
  Section(const std::string &name, const test::Strings &changes = {},
          const std::map<std::string, std::string> &variables = {})
      : host_(write(name, changes), {.folder = folder_.path().string(), .variables = variables}) {}

  test::Result shell(const std::string &commands) const {
    const std::string all = "omnistore() { " + test::program() + " \"$@\"; }\n" + commands;
    return test::run_command(
        {"bash", "-euo", "pipefail", "-c", all},
        {.folder = folder_.path().string(),
         .variables = {{"OMNISTORE_URL", host_.url}, {"OMNISTORE_ADMIN_URL", host_.admin}, {"URL", host_.url}}});
  }
  /// Returns their output; none of them may fail.
  std::string out(const std::string &commands) const {
    const test::Result result = shell(commands);
    INFO(commands << "\n" << result.err);
    CHECK(result.code == 0);
    return result.out;
  }
  std::filesystem::path folder() const { return folder_.path(); }

private:
  std::string write(const std::string &name, const test::Strings &changes) const {
    std::string text = test::read_file(OMNISTORE_SOURCE "/config/guide/" + name + ".jsonc");
    for (std::size_t i = 0; i + 1 < changes.size(); i += 2) replace(text, changes[i], changes[i + 1]);
    if (text.find("\"http\": {") != std::string::npos)
      replace(text, "\"http\": {", R"("http": { "listen": "127.0.0.1:0",)");
    else
      replace(text, "\n{", "\n{ \"server\": { \"http\": { \"listen\": \"127.0.0.1:0\" } },");
    replace(text, "\n{", "\n{ \"admin\": { \"listen\": \"127.0.0.1:0\" },");
    test::write_file(folder_ / "omnistore.jsonc", text);
    return folder_ / "omnistore.jsonc";
  }

  test::Folder folder_;
  test::Host host_;
};

} // namespace

TEST_CASE("guide, ttl, on the command line and over HTTP: an item's own ttl, a renewed one, and none") {
  const Section section("ttl");
  CHECK(section.out(R"(
    omnistore set key value --ttl 5m
    omnistore --json meta key | grep -o '"expiry":[0-9]*' | grep -c '[0-9]\{13\}'
    curl -sf -X PUT -H 'X-Ttl: 300' -d value "$URL/other" >/dev/null
    curl -sfI "$URL/other" | tr -d '\r' | sed -n 's/^X-Ttl: \(29[0-9]\|300\).*/five minutes/p'
    omnistore touch other --ttl 1h
    curl -sfI "$URL/other" | tr -d '\r' | sed -n 's/^X-Ttl: \(359[0-9]\|3600\).*/an hour/p'
    curl -sf -X PATCH -H 'X-Ttl: 0' "$URL/other" >/dev/null
    omnistore --json meta other | grep -o '"expiry":null'
    omnistore set kept:page value
    omnistore --json meta kept:page | grep -o '"expiry":null'
  )") == "1\nfive minutes\nan hour\n\"expiry\":null\n\"expiry\":null\n");
}

TEST_CASE("guide, ttl: an expired value is absent in every front") {
  const Section section("ttl");
  const test::Result result = section.shell(R"(
    omnistore set short value --ttl 1ms
    omnistore set local:short value --ttl 1ms
    until ! omnistore has local:short && ! omnistore has short; do :; done
    omnistore ls
    curl -s -o /dev/null -w '%{http_code} ' "$URL/short"
    curl -s -o /dev/null -w '%{http_code} ' "$URL/local/short"
    curl -sf "$URL/"
  )");
  INFO(result.err);
  CHECK(result.out == "404 404 []");
}

TEST_CASE("guide, stale-while-revalidate, on the command line and over HTTP") {
  test::Origin origin;
  origin.serve("/page", "first", "\"1\"");
  const Section section("stale-while-revalidate", {"\"maxAge\": 60", "\"maxAge\": \"1ms\""},
                        {{"ORIGIN", origin.url()}});
  CHECK(section.out("omnistore get page") == "first");
  CHECK(test::read_file(section.folder() / ".cache" / "page") == "first");
  origin.serve("/page", "second", "\"2\"");
  origin.hold();
  CHECK(section.out("curl -sf \"$URL/page\"") == "first"); // the origin does not respond
  REQUIRE(origin.await(1, "HEAD"));
  origin.release();
  CHECK(section.out("until [[ $(omnistore get page) == second ]]; do :; done; curl -sf \"$URL/page\"") == "second");
}

TEST_CASE("guide, large sets, on the command line and over HTTP: pages, batches, parts and streams") {
  const Section section("large-sets");
  CHECK(section.out(R"(
    for i in {1000..1299}; do echo "{\"key\":\"archive:wayback:$i\",\"value\":\"page $i\"}"; done | omnistore set --from -
    omnistore ls archive:wayback | wc -l
    omnistore ls archive:wayback | omnistore get --from - | tail -n 1 | grep -o '"value":"page 1299"'
    curl -sf "$URL/archive/wayback/?limit=2"
    echo
    curl -sf -X POST -d '{"get":["1000"],"remove":["1001"]}' "$URL/archive/wayback/" | grep -o '"value":"page 1000"'
    head -c 5000000 /dev/zero | tr '\0' x | omnistore set archive:long -f -
    omnistore get archive:long --range 4999995-
    echo
    curl -sf -r 0-4 "$URL/archive/long"
    curl -sf "$URL/archive/long" | wc -c
  )") == "300\n\"value\":\"page 1299\"\n[\"archive/wayback/1000\",\"archive/wayback/1001\"]\n\"value\":\"page "
         "1000\"\nxxxxx\n"
         "xxxxx5000000\n");
}

TEST_CASE("guide, development tools: the inspector and explain work on the command line and over HTTP") {
  const Section section("development-tools");
  CHECK(section.out(R"(
    for i in {10..34}; do omnistore set "wayback:site-$i" "{ \"n\": $i }"; done
    omnistore set other text
    omnistore inspect wayback: | sed -E 's/[0-9]{4}-[0-9-]+T[0-9:.]+Z/TIME/; s/ [(]25 keys[)]//' | sed -n '1,2p; /^\.\.\./p'
    omnistore inspect wayback: | grep -cF '  Value: {"n":'
    omnistore inspect --tree --depth 1 | tail -n 2
    omnistore explain wayback:site-10 | grep -o 'answers  layer 0 (memory)'
    curl -sf "$OMNISTORE_ADMIN_URL/explain?key=wayback:site-10" | grep -o '"layer":{[^}]*}'
  )") == "Storage contents with prefix \"wayback:\":\n"
         "- wayback:site-10 (expires: TIME)\n"
         "... and 5 more keys\n"
         "20\n"
         "├─ wayback:           25    275 B\n"
         "└─ (keys right here)  1     4 B\n"
         "answers  layer 0 (memory)\n"
         "\"layer\":{\"driver\":\"memory\",\"place\":[0]}\n");
}

TEST_CASE("guide, migrations, on the command line: a dry run, a move, a new form, another mount, a dump") {
  const Section section("migrations");
  CHECK(section.out(R"(
    for i in {1..300}; do echo "{\"key\":\"oldPrefix:$i\",\"value\":\"page $i\"}"; done | omnistore set --from -
    omnistore --json migrate oldPrefix newPrefix:v2 --dry-run | grep -o '"copied":300'
    omnistore --json migrate oldPrefix newPrefix:v2 --move --journal journal | grep -o '"removed":300'
    omnistore ls oldPrefix
    omnistore get newPrefix:v2:300
    echo
    omnistore -q migrate newPrefix:v2 newPrefix:v2 --rewrite '^(\d+)$' 'id:$1' --move --journal journal
    omnistore get newPrefix:v2:id:300
    echo
    omnistore -q copy newPrefix:v2 archive:2025 --journal journal
    omnistore -q verify newPrefix:v2 archive:2025 && echo the same
    omnistore -q dump archive -o archive.jsonl
    omnistore -q restore restored archive.jsonl --journal journal
    omnistore -q verify archive restored && echo and again
  )") == "\"copied\":300\n\"removed\":300\npage 300\npage 300\nthe same\nand again\n");
}
