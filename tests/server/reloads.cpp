// SPDX-License-Identifier: Apache-2.0
// Changes through the admin listener: a reload, mounts, and the rights for them.
#include <atomic>
#include <future>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "host.hpp"
#include "service/config_watch.hpp"
#include "support/temporary.hpp"

using test::Answer;
using test::Client;
using test::Host;
namespace json = boost::json;

namespace {

const std::string memory = R"({"driver": "memory"})";

std::string change(const Answer &answer) {
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  return std::string(json::parse(answer.body).at("change").as_string());
}

} // namespace

TEST_CASE("a store is mounted and unmounted over HTTP, with its key space at once") {
  Host host;
  Client admin(host.admin()), data(host.http());
  CHECK(data.ask("PUT", "/scratch/x", "of the root").status == 200);
  CHECK(change(admin.ask("PUT", "/mounts/scratch", memory)) == "added");
  CHECK(data.ask("GET", "/scratch/x").status == 404);
  CHECK(data.ask("PUT", "/scratch/x", "of scratch").status == 200);
  CHECK(change(admin.ask("PUT", "/mounts/scratch", memory)) == "replaced");
  CHECK(change(admin.ask("PUT", "/mounts/a/b%3Ac", memory)) == "added");
  CHECK(host.storage.mounts().at(1).mountpoint == "a:b:c");
  CHECK(change(admin.ask("DELETE", "/mounts/scratch")) == "removed");
  CHECK(data.ask("GET", "/scratch/x").body == "of the root");
  CHECK(admin.ask("DELETE", "/mounts/scratch").status == 404);
  CHECK(change(admin.ask("PUT", "/mounts/", memory)) == "replaced");
  CHECK(data.ask("GET", "/scratch/x").status == 404);
}

TEST_CASE("a mount that cannot be is refused with its reason, and changes nothing") {
  Host host;
  Client admin(host.admin());
  const auto refused = [&](const std::string &body) {
    const Answer answer = admin.ask("PUT", "/mounts/x", body);
    CHECK(answer.status == 400);
    return answer.body;
  };
  CHECK_THAT(refused("memory"), Catch::Contains("expected a JSON object"));
  CHECK_THAT(refused(R"({"driver": "memery"})"), Catch::Contains("did you mean 'memory'"));
  CHECK_THAT(refused(R"({"driver": "memory", "options": {"sise": 1}})"), Catch::Contains("size"));
  CHECK_THAT(refused(R"({"driver": "memory", "options": {"size": "${HOME}"}})"), Catch::Contains("HOME"));
  CHECK(host.storage.mounts().size() == 1);
}

TEST_CASE("a reload over HTTP reports its changes, and beforehand those that it would make") {
  omnistore::Config config = test::memory_config();
  omnistore::Storage storage(config);
  omnistore::Config next = config;
  next.mounts["more"].store.driver = "memory";
  next.http.max_body = 1000;
  next.max_memory = 100 * 1024 * 1024;
  next.log.level = "debug";
  omnistore::service::Reloader reloader(storage, config, {[&] { return next; }, {}, {}});
  omnistore::service::Server server(reloader);
  server.start();
  Client admin(server.admin_address());
  const std::string expected =
      R"("mounts":[{"mountpoint":"","driver":"memory","change":"kept","details":""},)"
      R"({"mountpoint":"more","driver":"memory","change":"added","details":""}],"now":["log.level"],"later":["server.http","server.maxMemory"])";
  CHECK_THAT(admin.ask("GET", "/reload").body, Catch::Contains(expected));
  CHECK(storage.mounts().size() == 1);
  CHECK_THAT(admin.ask("POST", "/reload").body, Catch::Contains(expected));
  CHECK(storage.mounts().size() == 2);
  CHECK(reloader.stats().done == 1);
  next.mounts["more"].store.driver = "no-such";
  const Answer refused = admin.ask("POST", "/reload");
  CHECK(refused.status == 400);
  CHECK_THAT(refused.body, Catch::Contains("no-such"));
  CHECK(storage.mounts().size() == 2);
  CHECK(reloader.stats().last_failed);
}

TEST_CASE("a host that was started without a file has nothing to reload") {
  const omnistore::Config config = test::memory_config();
  omnistore::Storage storage(config);
  omnistore::service::Reloader reloader(storage, config);
  omnistore::service::Server server(reloader);
  server.start();
  CHECK(Client(server.admin_address()).ask("POST", "/reload").status == 501);
}

TEST_CASE("a change through the admin listener needs a token that may write everything") {
  omnistore::Config config = test::memory_config();
  config.admin.tokens = {{"reader-token", false, {}}, {"writer-token", true, {}}, {"part-token", true, {"a"}}};
  Host host(config);
  Client admin(host.admin());
  const auto put = [&](const std::string &token) {
    const std::string header = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
    return admin.ask("PUT", "/mounts/x", memory, header).status;
  };
  CHECK(put("") == 401);
  CHECK(put("reader-token") == 403);
  CHECK(put("part-token") == 403);
  CHECK(put("writer-token") == 200);
  CHECK(admin.ask("GET", "/mounts", {}, "Authorization: Bearer reader-token\r\n").status == 200);
}

TEST_CASE("a page of another origin changes nothing, and a wrong method names the right ones") {
  Host host;
  Client admin(host.admin());
  CHECK(admin.ask("PUT", "/mounts/x", memory, "Origin: http://elsewhere.example\r\n").status == 403);
  CHECK(admin.ask("POST", "/reload", {}, "Origin: http://elsewhere.example\r\n").status == 403);
  CHECK(host.storage.mounts().size() == 1);
  const Answer post = admin.ask("POST", "/mounts/x");
  CHECK(post.status == 405);
  CHECK(post.header("allow") == "PUT, DELETE, OPTIONS");
  CHECK(admin.ask("DELETE", "/reload").header("allow") == "GET, HEAD, POST, OPTIONS");
  CHECK(admin.ask("GET", "/mounts/x").status == 405);
  CHECK(admin.ask("BREW", "/reload").status == 405);
}

TEST_CASE("a change after the config was read, and before it is watched, is reported at once") {
  const test::Folder folder;
  const std::string file = folder / "omnistore.jsonc";
  test::write_file(file, "{}");
  const std::string plugins = folder / "plugins";
  const auto paths = [&] { return omnistore::service::WatchedPaths{file, {plugins}}; };
  const omnistore::service::FileStates read = omnistore::service::states_of(paths());
  // Returns a watch's first report, of the file or of a request.
  const auto first_told = [&](bool ask) {
    std::promise<std::string> told;
    std::atomic<bool> is_told{false};
    const auto tell = [&](std::string_view why) {
      if (!is_told.exchange(true)) told.set_value(std::string(why));
    };
    omnistore::service::ConfigWatch watch(read, paths, tell);
    if (ask) watch.poke("asked");
    auto why = told.get_future();
    REQUIRE(why.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    return why.get();
  };
  CHECK(first_told(true) == "asked");
  std::filesystem::create_directory(plugins);
  test::write_file(folder / "plugins/x.so", "x");
  CHECK(first_told(false) == folder / "plugins/x.so changed");
  test::write_file(file, "{ }");
  CHECK(first_told(false) == "the config file changed");
}
