// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <filesystem>
#include <optional>
#include <string>

#include "cli/program.hpp"
#include "server/client.hpp"
#include "support/certificates.hpp"
#include "support/temporary.hpp"

using test::omnistore;
using test::Result;
using test::says;

namespace {

/// A host that the program serves with this config. It is stopped with the object.
struct Served {
  Served(const test::Folder &folder, const std::string &config) {
    test::write_file(folder / "omnistore.json", config);
    process.emplace(test::Strings{test::program(), "--json", "-c", folder / "omnistore.json", "serve"},
                    test::Setting{});
    const boost::json::value announced = boost::json::parse(process->line());
    data = announced.at("http").as_string().c_str();
    admin = announced.at("admin").as_string().c_str();
    page = announced.at("page").as_string().c_str();
  }

  std::optional<test::Process> process;
  std::string data, admin, page;
};

const std::string plugins = "\"plugins\": {\"paths\": [\"" OMNISTORE_BUILD "/plugins\"]}, ";

struct Secure {
  test::Authority authority;
  test::Authority::Pair pair = authority.pair("host", "IP:127.0.0.1");
  test::Folder folder;
  std::string tls = "\"tls\": {\"certificate\": \"" + pair.cert + "\", \"key\": \"" + pair.key +
                    "\", \"clientCa\": \"" + authority.ca() + "\"}";
  Served host{folder, "{" + plugins +
                          "\"mounts\": {\"\": {\"driver\": \"memory\"}}, \"server\": {\"http\": {\"listen\": "
                          "\"127.0.0.1:0\", \"tokens\": [{\"certificate\": \"CN=client\", \"write\": true}], " +
                          tls + "}}, \"admin\": {\"listen\": \"127.0.0.1:0\", " + tls + "}}"};
};

} // namespace

TEST_CASE("commands work with a host's own TLS, and show it the user's certificate") {
  const Secure secure;
  CHECK(secure.host.data.starts_with("https://"));
  CHECK(secure.host.page.starts_with("https://"));
  const test::Authority::Pair own = secure.authority.pair("client", "");
  const test::Strings to{"--url",  secure.host.data, "--ca",  secure.authority.ca(),
                         "--cert", own.cert,         "--key", own.key};
  const auto run = [&](test::Strings command) {
    command.insert(command.begin(), to.begin(), to.end());
    return omnistore(command);
  };
  CHECK(run({"set", "k", "v"}).code == 0);
  CHECK(run({"get", "k"}).out == "v");
  const Result without = omnistore({"--url", secure.host.data, "--ca", secure.authority.ca(), "get", "k"});
  CHECK(without.code == 3);
}

TEST_CASE("commands for the admin listener work with its TLS") {
  const Secure secure;
  const auto mounts = [&](const test::Strings &global) {
    test::Strings command = global;
    command.insert(command.end(), {"--json", "mounts"});
    return omnistore(command);
  };
  CHECK(mounts({"--admin-url", secure.host.admin, "--url", secure.host.data, "--ca", secure.authority.ca()}).code == 0);
  const Result strange = mounts({"--admin-url", secure.host.admin, "--url", secure.host.data});
  CHECK(strange.code == 6);
  CHECK(says(strange.err, "the host's certificate is not accepted"));
}

TEST_CASE("a command with a host's config trusts the certificate that stands there") {
  const Secure secure;
  // The same config, with the port that the host has.
  std::string config = test::read_file(secure.folder / "omnistore.json");
  const std::string address = secure.host.admin.substr(8);
  config.replace(config.rfind("127.0.0.1:0"), 11, address);
  test::write_file(secure.folder / "other.json", config);
  const Result mounts = omnistore({"-c", secure.folder / "other.json", "--json", "mounts"});
  CHECK(mounts.err == "");
  CHECK(mounts.code == 0);
}

TEST_CASE("commands work through unix sockets") {
  const test::Folder folder;
  const std::string data = "unix:" + folder / "data.sock", admin = "unix:" + folder / "admin.sock";
  const Served host(folder, "{" + plugins +
                                "\"mounts\": {\"\": {\"driver\": \"memory\"}}, \"server\": {\"http\": {\"listen\": \"" +
                                data + "\"}}, \"admin\": {\"listen\": \"" + admin + "\"}}");
  CHECK(host.data == data);
  CHECK(host.page == "");
  CHECK(omnistore({"--url", data, "set", "k", "v"}).code == 0);
  CHECK(omnistore({"--url", data, "get", "k"}).out == "v");
  CHECK(omnistore({"--url", data, "--admin-url", admin, "--json", "mounts"}).code == 0);
  CHECK(omnistore({"-c", folder / "omnistore.json", "--json", "mounts"}).code == 0);
  for (const test::Strings &report : {test::Strings{"mounts"}, {"drivers"}, {"explain", "k"}}) {
    test::Strings command{"--admin-url", admin, "--json"};
    command.insert(command.end(), report.begin(), report.end());
    CHECK(omnistore(command).code == 0); // no config is here
  }
  const Result unknown = omnistore({"--url", data, "mounts"});
  CHECK(unknown.code == 2);
  CHECK(says(unknown.err, "--admin-url"));
}

TEST_CASE("a certificate may come through a pipe, which can be read only once") {
  const Secure secure;
  const test::Authority::Pair own = secure.authority.pair("client", "");
  const Result result = test::run_command(
      {"bash", "-c", R"("$0" --url "$1" --ca <(cat "$2") --cert <(cat "$3") --key <(cat "$4") set k v)",
       test::program(), secure.host.data, secure.authority.ca(), own.cert, own.key});
  INFO(result.err);
  CHECK(result.code == 0);
}

TEST_CASE("a command whose TLS fails says why, and what to do about it") {
  const Secure secure;
  const test::Authority::Pair own = secure.authority.pair("client", "");
  const std::string port = secure.host.data.substr(secure.host.data.rfind(':'));
  const auto refused = [](const test::Strings &command, const std::string &why, const std::string &advice) {
    const Result result = omnistore(command);
    INFO(result.err);
    CHECK(result.code != 0);
    CHECK(says(result.err, why));
    CHECK(says(result.err, advice));
    CHECK_FALSE(says(result.err, "omnistore serve"));
    CHECK_FALSE(says(result.err, "option"));
  };
  const test::Folder folder;
  test::write_file(folder / "text.pem", "hello\n");
  const std::string text = folder / "text.pem", ca = secure.authority.ca();
  for (const test::Strings &command : {test::Strings{"get", "k"}, test::Strings{"ls"}, test::Strings{"watch"}}) {
    const auto with = [&](test::Strings options) {
      options.insert(options.end(), command.begin(), command.end());
      return options;
    };
    refused(with({"--url", secure.host.data}), "certificate", "with --ca FILE");
    refused(with({"--url", secure.host.data, "--ca", text}), "--ca " + text + ": it contains no certificate", "PEM");
    refused(with({"--url", secure.host.data, "--ca", ca, "--cert", own.cert, "--key", own.cert}),
            "--key " + own.cert + ": it contains no private key", "PEM");
    refused(with({"--url", "https://localhost" + port, "--ca", ca}), "localhost", "as it stands in its certificate");
    refused(with({"--url", "http://127.0.0.1" + port}), "This listener speaks TLS", "use https://");
  }
  refused({"--admin-url", secure.host.admin, "mounts"}, "certificate", "with --ca FILE");
  refused({"--admin-url", secure.host.admin, "--ca", text, "mounts"}, "--ca " + text + ": it contains no", "PEM");

  const Served plain(folder, "{" + plugins +
                                 "\"mounts\": {\"\": {\"driver\": \"memory\"}}, \"server\": {\"http\": {\"listen\": "
                                 "\"127.0.0.1:0\"}}, \"admin\": {\"listen\": \"127.0.0.1:0\"}}");
  const std::string data = "https" + plain.data.substr(4), admin = "https" + plain.admin.substr(4);
  refused({"--url", data, "get", "k"}, "speaks no TLS", "use http://");
  refused({"--admin-url", admin, "mounts"}, "wrong version number", "use http://");
}

TEST_CASE("a running host takes a new certificate when its file is replaced") {
  Secure secure;
  const test::Authority::Pair fresh = secure.authority.pair("fresh", "IP:127.0.0.1");
  std::filesystem::rename(fresh.key, secure.pair.key);
  std::filesystem::rename(fresh.cert, secure.pair.cert);
  std::string line;
  while (!says(line, "new connections get the new certificate")) line = secure.host.process->error_line();
  CHECK(says(line, "valid until"));
}

TEST_CASE("a running host takes another certificate when its config names other files") {
  Secure secure;
  const test::Authority::Pair other = secure.authority.pair("other", "IP:127.0.0.1");
  const std::string file = secure.folder / "omnistore.json";
  std::string config = test::read_file(file);
  const std::string::size_type at = config.find(secure.pair.cert); // of the data listener, which is first
  config.replace(at, secure.pair.cert.size(), other.cert);
  config.replace(config.find(secure.pair.key), secure.pair.key.size(), other.key);
  test::write_file(secure.folder / "next.json", config);
  std::filesystem::rename(secure.folder / "next.json", file);
  std::string line;
  while (!says(line, "server.http: new connections get the new certificate")) line = secure.host.process->error_line();
  while (!says(line, "; server.http.tls changed")) line = secure.host.process->error_line();
  CHECK_FALSE(says(line, "mount"));

  // Without TLS it would be another listener.
  test::write_file(secure.folder / "next.json", config.substr(0, config.find("\"tokens\"")) +
                                                    "\"tokens\": [{\"value\": \"plain\"}]" +
                                                    config.substr(config.find("}}}, \"admin\"") + 1));
  std::filesystem::rename(secure.folder / "next.json", file);
  while (!says(line, "server.http is different; it takes effect when the host is started again"))
    line = secure.host.process->error_line();
  const Result shown =
      omnistore({"--admin-url", secure.host.admin, "--ca", secure.authority.ca(), "reload", "--dry-run"});
  CHECK(says(shown.out, "server.http is different; it takes effect when"));
}

TEST_CASE("a running host takes the tokens of another file when its config names it") {
  const test::Folder folder;
  const auto make = [&](const std::string &name) {
    const Result made = omnistore({"token", "new", name, "--file", folder / name});
    REQUIRE(made.code == 0);
    return made.out.substr(0, made.out.size() - 1);
  };
  const std::string first = make("first"), second = make("second");
  const auto config = [&](const std::string &file) {
    return "{" + plugins +
           "\"mounts\": {\"\": {\"driver\": \"memory\"}}, \"server\": {\"http\": {\"listen\": "
           "\"127.0.0.1:0\", \"tokenFile\": \"" +
           file + "\"}}, \"admin\": {\"listen\": \"\"}}";
  };
  Served host(folder, config("first"));
  const auto list = [&](const std::string &token) {
    return omnistore({"--url", host.data, "--token", token, "ls"}).code;
  };
  CHECK(list(first) == 0);
  test::write_file(folder / "next", config("second"));
  std::filesystem::rename(folder / "next", folder / "omnistore.json");
  std::string line;
  while (!says(line, "; server.http.tokenFile changed")) line = host.process->error_line();
  CHECK(list(second) == 0);
  CHECK(list(first) == 3);
}

TEST_CASE("the log's lines for a request name its trace") {
  const test::Folder folder;
  Served host(folder, "{" + plugins +
                          R"("mounts": {"": {"driver": "memory", "through": [{"driver": "fault", "options": )"
                          R"({"status": "none", "delay": "5ms"}}]}}, "log": {"slow": "1ms"}, )"
                          R"("server": {"http": {"listen": "127.0.0.1:0"}}, "admin": {"listen": "127.0.0.1:0"}})");
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  test::Client client(host.data.substr(7));
  CHECK(client.ask("GET", "/k", {}, "traceparent: " + trace + "\r\n").status == 404);
  std::string line;
  while (!says(line, "slow")) line = host.process->error_line();
  CHECK(says(line, "\"trace\":\"" + trace + "\""));
}

TEST_CASE("a token that the program makes serves at once, and no more when its line is gone") {
  const test::Folder folder;
  const std::string tokens = folder / "tokens";
  const Result made =
      omnistore({"token", "new", "backup", "--write", "--base", "b", "--expires", "1d", "--file", tokens});
  REQUIRE(made.code == 0);
  const std::string token = made.out.substr(0, made.out.size() - 1);
  CHECK(token.starts_with("backup."));
  CHECK(test::read_file(tokens).find(token) == std::string::npos);
  CHECK((std::filesystem::status(tokens).permissions() & std::filesystem::perms(0077)) == std::filesystem::perms::none);

  Served host(folder, "{" + plugins +
                          "\"mounts\": {\"\": {\"driver\": \"memory\"}}, \"server\": {\"http\": {\"listen\": "
                          "\"127.0.0.1:0\", \"tokenFile\": \"tokens\"}}, \"admin\": {\"listen\": \"\"}}");
  CHECK(omnistore({"--url", host.data, "--token", token, "set", "b:k", "v"}).code == 0);
  CHECK(omnistore({"--url", host.data, "--token", token, "set", "a:k", "v"}).code == 3);

  // Another one for the same client, whose value the operator chose.
  const Result line = omnistore({"--json", "token", "hash", "next"}, {.input = "next.0123456789abcdef-0123\n"});
  REQUIRE(line.code == 0);
  test::write_file(tokens, std::string(line.json().at("line").as_string()) + "\n");
  while (omnistore({"--url", host.data, "--token", "next.0123456789abcdef-0123", "ls"}).code != 0) continue;
  CHECK(omnistore({"--url", host.data, "--token", token, "get", "b:k"}).code == 3);
}

TEST_CASE("without the module of TLS there is a clear message, and everything else works") {
  const Secure secure;
  const test::Folder other;
  std::filesystem::create_directories(other.path() / "bin");
  std::filesystem::copy_file(test::program(), other / "bin/omnistore");
  const auto run = [&](test::Strings command) {
    command.insert(command.begin(), other / "bin/omnistore");
    return test::run_command(command, {});
  };
  const Result command = run({"--admin-url", secure.host.admin, "--url", secure.host.data, "mounts"});
  CAPTURE(command.err);
  CHECK(command.code == 6);
  CHECK(says(command.err, "TLS needs the file libexec/omnistore/omnistore-tls.so"));
  const Result config = run({"-c", secure.folder / "omnistore.json", "check"});
  CAPTURE(config.err);
  CHECK(config.code == 2);
  CHECK(says(config.err, "TLS needs the file libexec/omnistore/omnistore-tls.so"));
  CHECK(run({"-c", secure.folder / "omnistore.json", "ls"}).code == 0);
}

TEST_CASE("the module of TLS is loaded without the mode of a program, which packages take from it") {
  const Secure secure;
  const test::Folder other;
  std::filesystem::create_directories(other.path() / "bin");
  std::filesystem::create_directories(other.path() / "libexec" / "omnistore");
  std::filesystem::copy_file(test::program(), other / "bin/omnistore");
  const std::string module = other / "libexec/omnistore/omnistore-tls.so";
  std::filesystem::copy_file(OMNISTORE_BUILD "/libexec/omnistore-tls.so", module);
  using std::filesystem::perms;
  std::filesystem::permissions(module, perms::owner_read | perms::owner_write);
  const Result mounts = test::run_command({other / "bin/omnistore", "--admin-url", secure.host.admin, "--url",
                                           secure.host.data, "--ca", secure.authority.ca(), "mounts"});
  CHECK(mounts.err == "");
  CHECK(mounts.code == 0);
}

TEST_CASE("a module of TLS that is not this program's is refused with its file") {
  const Secure secure;
  const test::Folder other;
  std::filesystem::create_directories(other.path() / "bin");
  std::filesystem::create_directories(other.path() / "libexec");
  std::filesystem::copy_file(test::program(), other / "bin/omnistore");
  const std::string module = other / "libexec/omnistore-tls.so";
  std::filesystem::copy_file(OMNISTORE_BUILD "/plugins/null.so", module);
  std::filesystem::permissions(module, std::filesystem::perms::owner_all);
  const Result command = test::run_command(
      {other / "bin/omnistore", "--admin-url", secure.host.admin, "--url", secure.host.data, "mounts"});
  CAPTURE(command.err);
  CHECK(command.code == 6);
  CHECK(says(command.err, module + " is of another version than this program"));
}
