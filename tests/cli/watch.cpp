// SPDX-License-Identifier: Apache-2.0
// The printed form of changes.
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "program.hpp"
#include "support/redis_server.hpp"

using test::Host;
using test::Place;
using test::Process;
using test::Result;
using test::says;
using test::Strings;

namespace {

/// `omnistore watch` beside the test, which has begun.
class Watching {
public:
  Watching(Strings where, Strings arguments)
      : process_(
            [&] {
              Strings command{test::program()};
              command.insert(command.end(), where.begin(), where.end());
              command.push_back("watch");
              command.insert(command.end(), arguments.begin(), arguments.end());
              return command;
            }(),
            {}) {
    note = process_.error_line();
  }
  Process &process() { return process_; }
  /// Returns the next line without its time.
  std::string line() {
    const std::string text = process_.line();
    REQUIRE(text.size() > 26);
    CHECK(text.substr(23, 3) == "Z  ");
    return text.substr(26);
  }
  Result stop(int signal) {
    ::kill(process_.pid(), signal);
    return process_.finish();
  }

  std::string note;

private:
  Process process_;
};

Strings lines_of(const std::string &text) {
  Strings lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// A config whose root is in a server that sends no notifications.
std::string config_of(const test::Folder &folder, const test::RedisServer &redis) {
  test::write_file(folder / "omnistore.jsonc", R"({ "mounts": { "": { "driver": "redis", "options": { "url": ")" +
                                                   redis.url() +
                                                   R"(" } } }, "server": { "http": { "listen": "127.0.0.1:0" } },
                       "admin": { "listen": "127.0.0.1:0" } })");
  return folder / "omnistore.jsonc";
}

/// Checks that a line says why a watch hears of its own host's changes only.
void check_limit(const std::string &line) {
  INFO(line);
  CHECK(says(line, "watch (mount "));
  CHECK(says(line, "driver redis): the changes that others make are not reported: "));
  CHECK(says(line, "CONFIG SET notify-keyspace-events KEA"));
  CHECK(says(line, "option notify"));
}

int run_on(const Host &host, Strings arguments) {
  arguments.insert(arguments.begin(), {"--url", host.url});
  return test::omnistore(arguments).code;
}

} // namespace

TEST_CASE("watch prints changes through a host, each line as it happens") {
  const Place place;
  const Host host(place.config());
  Watching watching({"--url", host.url}, {});
  CHECK(watching.note == "Watching every key; Ctrl-C ends it\n");
  REQUIRE(run_on(host, {"set", "mem:a/b", "1"}) == 0);
  CHECK(watching.line() == "update  mem:a:b\n");
  REQUIRE(run_on(host, {"rm", "mem:a:b"}) == 0);
  CHECK(watching.line() == "remove  mem:a:b  removed\n");
  REQUIRE(run_on(host, {"set", "mem:c", "1"}) == 0);
  CHECK(watching.line() == "update  mem:c\n");
  REQUIRE(run_on(host, {"clear", "-y", "mem"}) == 0);
  CHECK(watching.line() == "remove  mem:c  cleared\n");
}

TEST_CASE("watch of a config reports changes by another program") {
  const Place place;
  Watching watching({"-c", place.config()}, {"notes:", "--count", "1"});
  CHECK(watching.note == "Watching notes; Ctrl-C ends it\n");
  for (const char *key : {"other", "notes", "notes:today"})
    REQUIRE(test::omnistore({"-c", place.config(), "set", key, "1"}).code == 0);
  CHECK(watching.line() == "update  notes:today\n");
  CHECK(watching.process().finish().code == 0);
}

TEST_CASE("SIGINT and SIGTERM end a watch with 0") {
  const Place place;
  const int signal = GENERATE(SIGINT, SIGTERM);
  {
    Watching local({"-c", place.config()}, {});
    const Result ended = local.stop(signal);
    CHECK(ended.code == 0);
    CHECK(ended.err.empty());
  }
  const Host host(place.config());
  Watching remote({"--url", host.url}, {});
  const auto before = std::chrono::steady_clock::now();
  const Result ended = remote.stop(signal);
  CHECK(ended.code == 0);
  CHECK(ended.err.empty());
  // Not only when the host's next sign of life comes, 15 seconds after the last.
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
}

TEST_CASE("a watch with --count ends after as many events of the wanted keys") {
  const Place place;
  const Host host(place.config());
  Watching key({"--url", host.url}, {"mem/user", "--count", "2"});
  Watching base({"--url", host.url}, {"mem:user:", "--count", "1"});
  for (const char *name : {"mem:user", "mem:users", "mem:user:1"}) REQUIRE(run_on(host, {"set", name, "x"}) == 0);
  const Result of_key = key.process().finish(), of_base = base.process().finish();
  CHECK(of_key.code == 0);
  REQUIRE(lines_of(of_key.out).size() == 2);
  CHECK(says(of_key.out, "update  mem:user\n"));
  CHECK(says(of_key.out, "update  mem:user:1\n"));
  CHECK(of_base.code == 0);
  CHECK(says(of_base.out, "update  mem:user:1\n"));
  CHECK(lines_of(of_base.out).size() == 1);
}

TEST_CASE("watch prints one JSON object a line with --json") {
  const Place place;
  const Host host(place.config());
  Process process({test::program(), "--json", "--url", host.url, "watch", "mem:", "--count", "2"}, {});
  // It does not say when it has begun: it is given something to see until it has seen it.
  std::atomic<bool> seen{false};
  std::thread writer([&] {
    while (!seen && run_on(host, {"set", "mem:k", "1"}) == 0) run_on(host, {"rm", "mem:k"});
  });
  const boost::json::value one = boost::json::parse(process.line()), two = boost::json::parse(process.line());
  seen = true;
  writer.join();
  CHECK(process.finish().code == 0);
  const auto &update = one.at("type") == "update" ? one : two, &removal = one.at("type") == "update" ? two : one;
  CHECK(update == boost::json::value{{"sequence", update.at("sequence")},
                                     {"type", "update"},
                                     {"key", "mem:k"},
                                     {"cause", nullptr},
                                     {"missed", nullptr}});
  CHECK(removal == boost::json::value{{"sequence", removal.at("sequence")},
                                      {"type", "remove"},
                                      {"key", "mem:k"},
                                      {"cause", "removed"},
                                      {"missed", nullptr}});
  CHECK(two.at("sequence").to_number<std::uint64_t>() == one.at("sequence").to_number<std::uint64_t>() + 1);
}

TEST_CASE("watch resumes at its place when its host was gone") {
  const Place place;
  auto host = std::make_unique<Host>(place.config());
  std::string config = test::read_file(place.config());
  const std::string free = "\"http\": { \"listen\": \"127.0.0.1:0\"";
  REQUIRE(says(config, free));
  config.replace(config.find(free), free.size(),
                 "\"http\": { \"listen\": \"" + host->url.substr(std::string("http://").size()) + "\"");
  Watching watching({"--url", host->url}, {"--count", "3"});
  REQUIRE(run_on(*host, {"set", "mem:before", "1"}) == 0);
  CHECK(watching.line() == "update  mem:before\n");
  host->stop();
  CHECK(says(watching.process().error_line(), "the host ended the stream of events; trying again in 250ms"));
  test::write_file(place.config(), config);
  host = std::make_unique<Host>(place.config());
  CHECK(watching.line() == "resync  some events were lost\n"); // another host knows nothing of the first one's
  REQUIRE(run_on(*host, {"set", "mem:after", "1"}) == 0);
  CHECK(watching.line() == "update  mem:after\n");
  CHECK(watching.process().finish().code == 0);
}

TEST_CASE("a watch that cannot begin fails as other commands do") {
  const Place place;
  std::string config = test::read_file(place.config());
  const std::string listen = "\"listen\": \"127.0.0.1:0\"";
  config.replace(config.find(listen), listen.size(),
                 listen + R"(, "maxWatches": 0, "tokens": [ { "value": "word" } ])");
  test::write_file(place.config(), config);
  std::string url;
  {
    const Host host(place.config());
    url = host.url;
    const Result denied = test::omnistore({"--url", url, "watch"});
    CHECK(denied.code == 3);
    CHECK(says(denied.err, "A token is needed"));
    const Result full = test::omnistore({"--url", url, "--token", "word", "watch"});
    CHECK(full.code == 6);
    CHECK(says(full.err, "too many streams of events (0)"));
  }
  const Result gone = test::omnistore({"--url", url, "watch"});
  CHECK(gone.code == 6);
  CHECK(says(gone.err, "Connection refused"));
  CHECK(test::omnistore({"-c", place.config(), "watch", "a:.."}).code == 2);
}

TEST_CASE("a watch whose output nobody reads ends") {
  const Place place;
  const Host host(place.config());
  Watching watching({"--url", host.url}, {});
  watching.process().close_output();
  REQUIRE(run_on(host, {"set", "mem:a", "1"}) == 0);
  CHECK(watching.process().finish().code == 141);
}

TEST_CASE("a watch of a store that refuses to be watched warns with the driver's reason, once") {
  const test::Folder folder;
  const test::RedisServer redis;
  const std::string config = config_of(folder, redis);
  std::unique_ptr<Host> host;
  Strings where{"-c", config};
  const bool remote = GENERATE(false, true);
  if (remote) {
    host = std::make_unique<Host>(config);
    where = {"--url", host->url};
  }
  Watching watching(where, {"user:"});
  const std::string other = watching.process().error_line();
  const bool first = says(watching.note, "driver redis");
  check_limit(first ? watching.note : other);
  CHECK((first ? other : watching.note) == "Watching user; Ctrl-C ends it\n");
  const Result ended = watching.stop(SIGTERM);
  CHECK(ended.code == 0);
  CHECK(ended.err.empty());
  CHECK(ended.out.empty());
}

TEST_CASE("watch --json prints its limits as objects, which --count does not count") {
  const test::Folder folder;
  const test::RedisServer redis;
  const Host host(config_of(folder, redis));
  Process remote({test::program(), "--json", "--url", host.url, "watch", "--count", "1"}, {});
  const boost::json::value limit = boost::json::parse(remote.line());
  CHECK(limit.at("type") == "limited");
  check_limit(std::string(limit.at("message").as_string()));
  REQUIRE(run_on(host, {"set", "k", "1"}) == 0);
  CHECK(boost::json::parse(remote.line()).at("key") == "k");
  CHECK(remote.finish().code == 0);
  Process local({test::program(), "--json", "-c", folder / "omnistore.jsonc", "watch"}, {});
  CHECK(boost::json::parse(local.line()) == limit);
}

TEST_CASE("a watch that begins after the server's notifications were switched on has no limit") {
  const test::Folder folder;
  test::RedisServer redis;
  const std::string config = config_of(folder, redis);
  const Host host(config);
  Watching before({"--url", host.url}, {});
  // The advice is followed by a store of the same server whose option notify is true.
  std::string notifies = test::read_file(config);
  const std::string options = "\"options\": { ";
  notifies.insert(notifies.find(options) + options.size(), "\"notify\": true, ");
  test::write_file(folder / "notifies.jsonc", notifies);
  Watching other({"-c", folder / "notifies.jsonc"}, {});
  CHECK(other.note == "Watching every key; Ctrl-C ends it\n");
  Watching after({"--url", host.url}, {});
  CHECK(after.note == "Watching every key; Ctrl-C ends it\n");
  REQUIRE(test::omnistore({"-c", config, "set", "others", "1"}).code == 0);
  CHECK(after.line() == "update  others\n");
  CHECK(after.stop(SIGTERM).err.empty());
}
