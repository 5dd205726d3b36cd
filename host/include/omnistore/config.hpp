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

/// One thing that is wrong in a config: where, and what would be right.
struct Problem {
  std::string path;    ///< "mounts.shared.options.url"; empty: the whole file
  std::string message; ///< "expected a string, found 6379"
  unsigned line = 0;   ///< counted from 1; 0: not known
  unsigned column = 0; ///< counted from 1; 0: not known

  /// "mounts.shared.options.url: expected a string, found 6379 (line 12, column 34)"
  std::string text() const;
};

/// A config that cannot be used, with everything that is wrong in it. what() has a line a problem, headed by the
/// file's name.
class ConfigError : public Error {
public:
  ConfigError(const std::string &file, std::vector<Problem> problems);
  const std::vector<Problem> &problems() const noexcept { return problems_; }

private:
  std::vector<Problem> problems_;
};

/// Where each value of a config text stands: "mounts.shared.options" -> line and column.
class Places;

/// One store to open: a driver, its options and, for a layer, the stores below it.
struct StoreConfig {
  std::string driver;
  std::string options = "{}"; ///< a JSON object's text; it is checked against the driver's schema when it opens
  std::vector<StoreConfig> children{}; ///< `layers`, or what stands inside `through`; the config's order

  std::string path{};                     ///< where it stands in the config, "mounts.cache.layers.0"; for messages
  std::shared_ptr<const Places> places{}; ///< null for a config built in code
  std::string folder{};                   ///< where relative paths in options start; empty: the working folder
  bool short_form = false;                ///< a cache that `invalidation` and `origin` stand for
};

/// What a `ttl`, `prefix` and the like stand beside: one mount.
struct MountConfig {
  StoreConfig store;
  std::optional<std::string> prefix{}; ///< in place of the global one; normalised, without a ':' at its end
  std::optional<std::int64_t> ttl{};   ///< milliseconds, in place of the global one; 0: never
  bool read_only = false;              ///< refuses writes before the driver sees them
  bool optional = false;               ///< where it cannot be opened the host goes on without it
};

/// Limits of a listener. Sizes in bytes, times in milliseconds.
struct HttpConfig {
  std::string listen = "127.0.0.1:7700"; ///< "address:port"; port 0: any free one; empty: no listener
  unsigned threads = 0;                  ///< 0: as many as there are processors, at most 4
  std::uint64_t max_header = 16 * 1024;
  std::uint64_t max_body = 64 * 1024 * 1024;
  std::uint64_t max_stream = std::uint64_t{1} << 40; ///< a value that its store takes piece by piece
  unsigned max_connections = 10000;
  unsigned max_watches = 256;             ///< streams of events, each of which is a connection too
  std::int64_t watch_keep_alive = 15'000; ///< a stream on which nothing came for so long shows that it is alive
  std::int64_t idle_timeout = 60'000;
  std::int64_t request_timeout = 30'000; ///< the deadline of one operation
  std::vector<std::string> hosts{};      ///< further names that a Host header on a loopback listener may have
  std::vector<std::string> origins{};    ///< origins that are granted cross-origin access; "*": any
  struct Token {
    std::string value;
    bool write = false;
    std::vector<std::string> bases; ///< empty: every key
    bool operator==(const Token &) const = default;
  };
  std::vector<Token> tokens{}; ///< none: no authentication, which only a loopback listener may have
  /// True: a listener without tokens serves every user of this machine. False: it serves only root and the user that
  /// the process runs as.
  bool any_user = true;
  bool operator==(const HttpConfig &) const = default;
};

struct LogConfig {
  std::string level = "info"; ///< trace debug info warn error off
  bool json = false;
  std::int64_t slow = 0; ///< operations that take longer are logged at warn; milliseconds; 0: none
};

/// A checked config with its profile merged in. Plain data: build one in code, or read one from a file.
struct Config {
  std::vector<std::string> plugin_paths;     ///< folders or files; absolute where the config has a file
  std::map<std::string, std::string> pins;   ///< plugin file's stem -> "sha256:HEX"
  std::string plugin_lock;                   ///< the absolute path of the lock file; empty: there is none
  std::string prefix;                        ///< normalised, without a ':' at its end
  std::int64_t ttl = 0;                      ///< milliseconds; 0: never
  std::map<std::string, MountConfig> mounts; ///< by mountpoint, normalised; "": the root
  /// How much memory requests and answers may take, in bytes, over all connections for keys and values. If it is 0,
  /// they may take an eighth of what the machine or the control group allows, at least 64 MiB and at most 512 MiB.
  std::uint64_t max_memory = 0;
  HttpConfig http;
  HttpConfig admin{.listen = "127.0.0.1:7701", .max_connections = 256, .any_user = false};
  LogConfig log;
  std::int64_t open_timeout = 30'000; ///< milliseconds that a store may take to open
  std::int64_t stop_timeout = 8'000;  ///< milliseconds that a host may take to stop

  std::string file;                     ///< where it was read from; empty: built in code
  std::string profile;                  ///< the chosen one; empty: none
  std::shared_ptr<const Places> places; ///< null: built in code

  using Environment = std::function<std::optional<std::string>(const std::string &)>;

  /// Reads, chooses the profile (empty: OMNISTORE_PROFILE, else none), interpolates, checks. Throws ConfigError with
  /// every problem, or Error(not_found) where there is no such file.
  static Config load(const std::string &file, std::string_view profile = {});

  /// The same from a text. `file` is only for messages and for the folder that relative paths start at; it may be
  /// empty, and `environment` null: then nothing is set. Thread-safe, as load is.
  static Config parse(std::string_view text, const std::string &file = {}, std::string_view profile = {},
                      const Environment &environment = {});
};

} // namespace omnistore
