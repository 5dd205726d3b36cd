// SPDX-License-Identifier: Apache-2.0
// The built s3 plugin over a real server, and the server's objects as curl sees them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "driven.hpp"
#include "support/rados_gateway.hpp"

namespace test {

/// The server that all cases share: each has a base of its own in its bucket.
inline RadosGateway &shared_server() {
  static RadosGateway server;
  return server;
}

inline std::string own_base() {
  static std::atomic<int> count{0};
  return "t" + std::to_string(count++);
}

/// Runs curl with a signature of its own on a path of the server. Returns the body.
inline std::string curl(const std::string &path, const std::string &arguments = "") {
  const std::string command =
      "curl -s --aws-sigv4 aws:amz:us-east-1:s3 --user KEYID:VERYSECRET -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' " +
      arguments + " '" + shared_server().url() + path + "'";
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) != 0;)
    text.append(buffer.data(), count);
  return text;
}

/// A host whose clock shows the time: the server refuses another one.
struct PresentHost : Host {
  PresentHost() {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    time = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  }
};

/// A store in the shared server.
struct OverServer {
  const std::string base = own_base();
  PresentHost host;
  Driven store{s3_driver()};

  /// `more`: further options, as JSON members after a comma.
  explicit OverServer(const std::string &more = "") { open(shared_server().options() + "," + more_of(more)); }
  /// `options`: all of them but `base`, as JSON members.
  struct Only {
    std::string options;
  };
  explicit OverServer(const Only &only) { open(only.options + "," + more_of("")); }

  std::string path(const std::string &name) const { return "/bucket/" + base + "/" + name; }

private:
  std::string more_of(const std::string &more) const { return option("base", base) + more; }
  void open(const std::string &options) { store.open(host, "{" + options + "}"); }
};

/// Returns the message of an open that fails with the status.
inline std::string refusal(const std::string &options, omnistore_status status) {
  try {
    OverServer opened(OverServer::Only{options});
  } catch (const StatusError &error) {
    CHECK(error.status == status);
    return error.what();
  }
  return "it opened";
}

inline std::string options_with(const std::string &endpoint, const std::string &key_id = "KEYID",
                                const std::string &secret = "VERYSECRET", const std::string &bucket = "bucket") {
  return option("endpoint", endpoint) + "," + option("bucket", bucket) + "," + option("accessKeyId", key_id) + "," +
         option("secretAccessKey", secret);
}

} // namespace test
