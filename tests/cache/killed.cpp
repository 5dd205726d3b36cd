// SPDX-License-Identifier: Apache-2.0
// A host that is killed between the origin's change and the copy's: the next one gets what it lists.
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;

namespace {

/// Runs the program with these arguments, and kills it when the origin has the n-th request of a method: the origin
/// still does the request.
void kill_amid(Origin &origin, const Folder &folder, const std::string &config, const std::string &method, int nth,
               const std::vector<std::string> &arguments) {
  const std::string file = folder / "config.jsonc", program = OMNISTORE_BUILD "/bin/omnistore";
  write_file(file, R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] }, "mounts": )" + config + "}");
  std::vector<std::string> words = {program, "-c", file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char *> raw;
  for (std::string &word : words) raw.push_back(word.data());
  raw.push_back(nullptr);
  std::atomic<pid_t> child{0};
  std::atomic<int> requests{0};
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method == method && ++requests == nth) kill(child, SIGKILL);
    return std::nullopt;
  });
  child = fork();
  if (child == 0) {
    execv(raw[0], raw.data());
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  origin.handle({});
  REQUIRE(WIFSIGNALED(status));
}

/// Each key is got exactly if it is listed.
void check_agreement(omnistore::Storage &storage, const std::vector<std::string> &keys) {
  std::vector<std::string> listed;
  for (const auto &item : storage.list("pages:").items) listed.push_back(item.key);
  for (const std::string &key : keys) {
    INFO(key);
    const bool is_listed = std::find(listed.begin(), listed.end(), key) != listed.end();
    CHECK(storage.get(key).has_value() == is_listed);
  }
}

} // namespace

TEST_CASE("after a kill amid a clear, a remove or a set the gets and the listing agree") {
  struct Way {
    const char *method;
    int nth;
    std::vector<std::string> arguments;
  };
  const Way way = GENERATE(values<Way>({{"DELETE", 2, {"clear", "pages:", "--yes"}},
                                        {"DELETE", 1, {"rm", "pages:a"}},
                                        {"PUT", 1, {"set", "pages:a", "new"}}}));
  INFO(way.arguments[0]);
  Origin origin;
  const Folder folder, copies;
  const std::vector<std::string> keys = {"pages:a", "pages:b", "pages:c"};
  const std::string config = cached(origin, R"({ "maxAge": 3600 })", in_files(copies));
  {
    omnistore::Storage storage = open(config);
    for (const std::string &key : keys) storage.set(key, "old");
    for (const std::string &key : keys) REQUIRE(storage.get(key) == "old");
  }
  kill_amid(origin, folder, config, way.method, way.nth, way.arguments);
  for (int start = 0; start < 2; ++start) {
    omnistore::Storage storage = open(config);
    check_agreement(storage, keys);
    if (std::string(way.method) == "PUT") CHECK(storage.get("pages:a") == "new");
  }
}

TEST_CASE("after a clear that came to its end nothing is kept of it, and copies are used again") {
  Origin origin;
  const Folder copies;
  const std::string config = cached(origin, R"({ "maxAge": 3600 })", in_files(copies));
  {
    omnistore::Storage storage = open(config);
    storage.set("pages:a", "1");
    storage.clear("pages:");
    storage.set("pages:a", "2");
  }
  omnistore::Storage storage = open(config);
  origin.forget();
  CHECK(storage.get("pages:a") == "2");
  CHECK(origin.count() == 0);
}
