// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/error.hpp>

namespace omnistore {

/// One problem of a config: its place, and what would be right.
struct Problem {
  std::string path;    ///< "mounts.shared.options.url"; empty for the whole file
  std::string message; ///< "expected a string, found 6379"
  unsigned line = 0;   ///< counted from 1; 0 if unknown
  unsigned column = 0; ///< counted from 1; 0 if unknown

  /// "mounts.shared.options.url: expected a string, found 6379 (line 12, column 34)"
  std::string text() const;
};

/// A config that cannot be used, with all of its problems. what() has the file's name and one line for each problem.
class ConfigError : public Error {
public:
  ConfigError(const std::string &file, std::vector<Problem> problems);
  const std::vector<Problem> &problems() const noexcept { return problems_; }

private:
  std::vector<Problem> problems_;
};

/// The line and column of each value of a config text, by path, such as "mounts.shared.options".
class SourceMap;

/// One store to open: a driver, its options and, for a layer, the stores below it.
struct StoreConfig {
  std::string driver;
  std::string options = "{}";          ///< a JSON object's text, which is checked against the driver's schema at open
  std::vector<StoreConfig> children{}; ///< `layers`, or the stores inside `through`, in the config's order

  std::string path{};                        ///< its place in the config for messages, such as "mounts.cache.layers.0"
  std::shared_ptr<const SourceMap> places{}; ///< null for a config built in code
  std::string folder{};    ///< the folder that relative paths in options start at; empty for the working folder
  bool short_form = false; ///< it is a cache that the config describes by `invalidation` and `origin`
};

/// One mount: a store, with its `ttl`, `prefix` and the like.
struct MountConfig {
  StoreConfig store;
  std::optional<std::string> prefix{}; ///< replaces the global one; normalised, without a ':' at its end
  std::optional<std::int64_t> ttl{};   ///< milliseconds, replaces the global one; 0 for ever
  bool read_only = false;              ///< refuses writes before the driver sees them
  bool optional = false;               ///< if it cannot be opened, the host runs without it
};

/// Limits of a listener. Sizes in bytes, times in milliseconds.
struct HttpConfig {
  /// "address:port", in which port 0 is any free one, or "unix:/path"; empty for no listener
  std::string listen = "127.0.0.1:7700";
  unsigned socket_mode = 0600; ///< of a unix socket's file
  /// TLS, with files in PEM. They are read again when they change.
  struct Tls {
    std::string certificate;     ///< with its chain; empty for no TLS
    std::string key;             ///< empty if it is in the file of the certificate
    std::string client_ca;       ///< clients may present a certificate that one of these has signed; empty for none
    bool require_client = false; ///< refuses clients without such a certificate
    bool enabled() const { return !certificate.empty(); }
    bool operator==(const Tls &) const = default;
  };
  Tls tls{};
  unsigned threads = 0; ///< 0 for the number of processors, at most 4
  std::uint64_t max_header = 16 * 1024;
  std::uint64_t max_body = 64 * 1024 * 1024;
  std::uint64_t max_stream = std::uint64_t{1} << 40; ///< a value that its store takes piece by piece
  unsigned max_connections = 10000;
  unsigned max_watches = 256;             ///< streams of events, each of which is a connection too
  std::int64_t watch_keep_alive = 15'000; ///< an idle stream of events gets a keep-alive after this time
  std::int64_t idle_timeout = 60'000;
  std::int64_t request_timeout = 30'000; ///< the deadline of one operation
  std::vector<std::string> hosts{};      ///< further names that the Host header may have on a loopback listener
  std::vector<std::string> origins{};    ///< origins that have cross-origin access; "*" for any
  struct Token {
    std::string value{};
    bool write = false;
    std::vector<std::string> bases{}; ///< empty for every key
    std::string name{};               ///< in the log and for drivers; empty for its place, such as "token 2"
    /// The name in a client's certificate that has these rights, in place of `value`: "CN=backup" or "DNS:a.example".
    std::string certificate{};
    bool operator==(const Token &) const = default;
  };
  std::vector<Token> tokens{}; ///< with no token file: none for no authentication, which only loopback may have
  std::string token_file{};    ///< has hashes of further tokens, and is read again when it changes; empty for none
  /// The most that one client may take; 0 for no limit.
  struct Limits {
    std::uint64_t requests = 0; ///< a second
    std::uint64_t bytes = 0;    ///< a second, of bodies in both directions and of events
    unsigned connections = 0;   ///< at once
    bool any() const { return requests != 0 || bytes != 0 || connections != 0; }
    bool operator==(const Limits &) const = default;
  };
  Limits per_address{}, per_token{};
  /// If true, a listener without tokens serves every user of this machine. If false, it serves only root and the user
  /// that the process runs as.
  bool any_user = true;
  bool operator==(const HttpConfig &) const = default;
};

struct LogConfig {
  std::string level = "info"; ///< trace debug info warn error off
  bool json = false;
  std::int64_t slow = 0; ///< operations that take longer, in milliseconds, are logged at warn; 0 for none
  std::string access{};  ///< the file of the access log; empty for none
  bool access_json = false;
  std::string audit{}; ///< the file of the audit log, of writes; empty for none
};

/// A checked config with its profile merged in. Plain data: build one in code, or read one from a file.
struct Config {
  std::vector<std::string> plugin_paths;     ///< folders or files; absolute if the config has a file
  std::map<std::string, std::string> pins;   ///< plugin file's stem -> "sha256:HEX"
  std::string plugin_lock;                   ///< the absolute path of the lock file; empty if there is none
  std::string prefix;                        ///< normalised, without a ':' at its end
  std::int64_t ttl = 0;                      ///< milliseconds; 0 for ever
  std::map<std::string, MountConfig> mounts; ///< by mountpoint, normalised; "" is the root
  /// The memory in bytes that requests and responses may take, over all data connections. 0 means an eighth of the
  /// memory of the machine or the control group, at least 64 MiB and at most 512 MiB.
  std::uint64_t max_memory = 0;
  HttpConfig http;
  HttpConfig admin{.listen = "127.0.0.1:7701", .max_connections = 256, .any_user = false};
  LogConfig log;
  std::int64_t open_timeout = 30'000; ///< milliseconds that a store may take to open
  std::int64_t stop_timeout = 8'000;  ///< milliseconds that a host may take to stop

  std::string file;                        ///< the file that it was read from; empty if it was built in code
  std::string profile;                     ///< the chosen one; empty for none
  std::shared_ptr<const SourceMap> places; ///< null if it was built in code

  using Environment = std::function<std::optional<std::string>(const std::string &)>;

  /// Reads a file, merges the profile in, interpolates and checks. If `profile` is empty, OMNISTORE_PROFILE names it.
  /// Throws ConfigError with every problem, or Error(not_found) if there is no such file.
  static Config load(const std::string &file, std::string_view profile = {});

  /// The same from a text. `file` is used in messages and for the folder that relative paths start at, and may be
  /// empty. `environment` may be null, so that no variable is set. Thread-safe, like load.
  static Config parse(std::string_view text, const std::string &file = {}, std::string_view profile = {},
                      const Environment &environment = {});
};

} // namespace omnistore
