// SPDX-License-Identifier: Apache-2.0
// Tokens of clients: those of the config, and those of a file, which has only their hashes.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace omnistore::routes {

/// The rights of a client, and how it shows who it is: by a value, a certificate's name, or a value with this hash.
struct Token {
  std::string name;
  std::string value{}, certificate{}, hash{}; ///< one of the three
  bool write = false;
  std::vector<std::string> bases{};      ///< normalised, each with a ':' at its end; empty for every key
  std::optional<std::int64_t> expires{}; ///< Unix milliseconds
};

/// Reads one line of a token file. Throws Error(invalid).
Token parse_token(std::string_view line);
/// Returns the line of a token file.
std::string token_line(const Token &token);
/// Returns a new value "NAME.SECRET" with 256 random bits. Throws Error(invalid) if no token may have this name.
std::string new_token_value(const std::string &name);
/// Returns the argon2id hash of a value, which takes some 50 milliseconds and 64 MiB.
std::string hash_token(const std::string &value);

/// The tokens of a file. A token is NAME.SECRET, so that its line is found without trying the others. Each line has an
/// argon2id hash, which is slow on purpose: a value is checked once, on a thread of this class, and is known by a hash
/// with a random key from then on. Thread-safe.
class TokenFile {
public:
  /// Throws Error with `field` ("server.http"), the file, the line and the reason.
  TokenFile(const std::string &path, std::string field);
  ~TokenFile();
  TokenFile(const TokenFile &) = delete;
  TokenFile &operator=(const TokenFile &) = delete;

  /// Reads the file again, or another one. A token that is not in it any more is refused at once. Throws as the
  /// constructor does, and keeps what it had.
  void reload(const std::string &path);

  enum class Known {
    right,
    wrong,
    unchecked ///< check() must come first
  };
  /// Looks for a token. If it is `right`, stores it in `found`.
  Known find(std::string_view value, std::shared_ptr<const Token> &found) const;

  /// Checks a value, and calls `done` on the thread of this class. Returns false if too many values wait, or if no
  /// thread can be started.
  bool check(std::string value, std::function<void()> done);
  /// Checks a value on this thread.
  void check_now(const std::string &value);

  /// Checks no more values, and joins the thread.
  void stop();

  std::size_t size() const;

private:
  using Digest = std::array<unsigned char, 32>;
  using Table = std::map<std::string, std::shared_ptr<const Token>, std::less<>>;
  static constexpr std::size_t most_waiting = 32; ///< values
  static constexpr std::size_t most_wrong = 1024; ///< digests of wrong values that are remembered

  Table load(const std::string &path) const;
  Digest digest_of(std::string_view value) const;
  std::shared_ptr<const Token> named_by(std::string_view value) const;
  void run();

  const std::string field_;
  const Digest key_;
  mutable std::mutex mutex_; ///< for what follows
  Table tokens_;
  std::map<Digest, std::shared_ptr<const Token>> right_;
  std::deque<Digest> wrong_; ///< the oldest first
  std::deque<std::pair<std::string, std::function<void()>>> waiting_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_; ///< started with the first value
};

} // namespace omnistore::routes
