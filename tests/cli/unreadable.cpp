// SPDX-License-Identifier: Apache-2.0
// A folder that the host may not read: every command does what it can, says what it left out, and does not end with 0.
#include <catch2/catch.hpp>

#include <filesystem>

#include <sys/stat.h>

#include "../server/client.hpp"
#include "program.hpp"

using namespace test;

namespace {

/// Keys `in:a`, `in:locked:k` and `in:z` in files. Only root may read the folder `locked`.
struct Locked {
  Folder folder;
  Locked() {
    write_file(folder / "c.jsonc", R"({ "mounts": { "": { "driver": "fs", "options": { "base": ")" + (folder / "data") +
                                       R"(" } }, "other": { "driver": "fs", "options": { "base": ")" +
                                       (folder / "other") + R"(" } } } })");
    for (const char *key : {"a", "locked/k", "z"}) write_file(folder / "data/in/" + key, "v");
    std::filesystem::create_directories(folder / "other");
    for (const char *path : {"", "data", "data/in", "other"}) ::chmod((folder / path).c_str(), 0777);
    for (const char *path : {"data/in/a", "data/in/z", "data/in/locked/k", "c.jsonc"})
      ::chmod((folder / path).c_str(), 0666);
    ::chmod((folder / "data/in/locked").c_str(), 0);
  }
  ~Locked() { ::chmod((folder / "data/in/locked").c_str(), 0700); }

  Strings command(const Strings &arguments) const {
    Strings whole;
    if (::geteuid() == 0) whole = {"setpriv", "--reuid=65528", "--regid=65528", "--clear-groups"};
    for (const std::string &word : Strings{program(), "-c", folder / "c.jsonc"}) whole.push_back(word);
    whole.insert(whole.end(), arguments.begin(), arguments.end());
    return whole;
  }
  Result run(const Strings &arguments) const { return run_command(command(arguments)); }
  /// Returns true if another user can run the program here.
  bool works() const {
    const bool works = run({"get", "in:a"}).out == "v";
    if (!works) WARN("not tried: it takes root and setpriv, and a build that other users can read");
    return works;
  }
};

} // namespace

TEST_CASE("ls over a folder that cannot be read lists the others, names it, and ends with 3") {
  const Locked f;
  if (!f.works()) return;
  const Result plain = f.run({"ls"});
  CHECK(plain.out == "in:a\nin:z\n");
  CHECK(plain.code == 3);
  CHECK(says(plain.err, "in/locked: Permission denied"));
  CHECK(f.run({"ls", "-l"}).code == 3);
  CHECK(says(f.run({"--json", "ls"}).err, R"({"error":{"status":"denied")"));
  CHECK(f.run({"ls", "other"}).code == 0);
}

TEST_CASE("inspect, dump, copy, move and verify over a folder that cannot be read name it, and end with 3") {
  const Locked f;
  if (!f.works()) return;
  const Strings commands[] = {
      {"inspect"},
      {"inspect", "--tree"},
      {"dump", "-o", "-"},
      {"dump", "-o", f.folder / "dump"},
      {"copy", "in", "other", "--journal", f.folder / "journal"},
      {"copy", "in", "other", "--journal", f.folder / "journal", "--resume"},
      {"verify", "in", "other"},
      {"migrate", "in", "other", "--move", "--journal", f.folder / "journal2"},
      {"clear", "-y", "in"},
  };
  for (const Strings &command : commands) {
    const Result result = f.run(command);
    INFO(command[0] << "\n" << result.out << result.err);
    CHECK(result.code == 3);
    CHECK(says(result.err, "in/locked: Permission denied"));
  }
  CHECK(f.run({"ls", "other"}).out == "other:a\nother:z\n");
}

TEST_CASE("a listing over HTTP names the places that it left out, and a second host passes that on") {
  const Locked f;
  if (!f.works()) return;
  Process host(f.command({"--json", "serve"}), {});
  const std::string url(boost::json::parse(host.line()).at("http").as_string());
  const Result remote = omnistore({"--url", url, "ls"});
  CHECK(remote.out == "in:a\nin:z\n");
  CHECK(remote.code == 3);
  CHECK(says(remote.err, "in/locked: Permission denied"));

  const Folder folder;
  write_file(folder / "c.jsonc",
             R"({ "mounts": { "": { "driver": "http", "options": { "base": ")" + url + R"(" } } } })");
  const Result second = omnistore({"-c", folder / "c.jsonc", "ls"});
  CHECK(second.out == "in:a\nin:z\n");
  CHECK(second.code == 3);
  CHECK(says(second.err, "in/locked: Permission denied"));

  Client client(url.substr(std::string("http://").size()));
  for (const char *target : {"/:", "/:?limit=10"}) {
    const Answer answer = client.ask("GET", target);
    CHECK(answer.status == 200);
    CHECK(answer.header("x-skipped").find("in:locked:;denied;") == 0);
  }
  ::kill(host.pid(), SIGTERM);
  CHECK(host.finish().code == 0);
}
