// SPDX-License-Identifier: Apache-2.0
// Access to a listener: the rights of hosts, origins, tokens and users.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/config.hpp>

#include "base/authority.hpp"
#include "http/address.hpp"
#include "http/message.hpp"
#include "http/target.hpp"
#include "routes/token_file.hpp"
#include "routes/wrong_tokens.hpp"

namespace omnistore::routes {

inline bool has_tokens(const HttpConfig &config) { return !config.tokens.empty() || !config.token_file.empty(); }

/// How a client shows who it is: the Authorization header, or, without one, the certificate of its connection.
struct Credentials {
  Credentials(std::string_view header, const tls::ClientCertificate *presented = nullptr)
      : authorization(header), certificate(presented) {}
  Credentials(const char *header) : Credentials(std::string_view(header)) {}
  Credentials(const std::string &header) : Credentials(std::string_view(header)) {}
  Credentials(const http::Request &request) : Credentials(request[http::Header::authorization], request.certificate) {}

  std::string_view authorization;
  const tls::ClientCertificate *certificate;
};

/// Judges requests by their Host, their Origin, their token and the user who sends them. Thread-safe; made once. Copies
/// share what they count.
class Guard {
public:
  /// A file of tokens. If `whole` is true, only those count that may write every key.
  struct Source {
    std::shared_ptr<TokenFile> file;
    bool whole = false;
  };
  /// Throws Error(invalid) if others can reach the address and the config has no tokens, or if a host in the config
  /// is none. `files` are those of the config's tokens.
  Guard(const HttpConfig &config, const http::Address &address, std::string field, std::vector<Source> files = {});

  /// On a loopback listener, only a Host that names this machine or stands in the config is served: otherwise a page
  /// elsewhere could have its own name point here (DNS rebinding) and read what it likes.
  bool serves_host(const base::Authority &host) const;

  /// Returns the value of Access-Control-Allow-Origin for this origin; empty if nothing is granted.
  std::string_view grant(std::string_view origin) const;
  /// Returns true if the config names this origin, other than by "*".
  bool grants_by_name(std::string_view origin) const;

  /// Returns true if a page of this very host has this origin: the same name or address, and the same port.
  static bool same_origin(std::string_view origin, std::string_view host);

  enum class Verdict { granted, no_token, wrong_token, out_of_scope, other_user, unknown_user };
  /// Judges if the holder of a token may read or write this key, or all of this base.
  Verdict judge(const Credentials &credentials, bool write, std::string_view key, bool is_base) const {
    return has_tokens_ ? judge_token(credentials, find(credentials).get(), write, key, is_base) : Verdict::granted;
  }
  /// Judges if it holds any of the tokens.
  Verdict judge(const Credentials &credentials) const;
  /// The same two, with the token that find() has returned for the credentials: to find it costs a hash.
  Verdict judge(const Credentials &credentials, const Token *token, bool write, std::string_view key,
                bool is_base) const {
    return has_tokens_ ? judge_token(credentials, token, write, key, is_base) : Verdict::granted;
  }
  Verdict judge(const Credentials &credentials, const Token *token) const;
  struct Scope {
    bool write;
    std::vector<std::string> bases; ///< normalised, each with a ':' at its end; empty for every key
  };
  /// Returns what the holder of a token may use, or nullopt if there is no such token.
  std::optional<Scope> scope(const Credentials &credentials) const;
  /// Returns the token that the credentials show; null if they show none. Its name is that in a file or certificate, or
  /// its place in the config, "token 1".
  std::shared_ptr<const Token> find(const Credentials &credentials) const;
  /// Returns true if the credentials cannot be judged before check().
  bool needs_check(const Credentials &credentials) const {
    return !files_.empty() && unchecked(credentials) != nullptr;
  }
  /// Checks them on another thread, which calls `done`. Returns false if too many wait for that.
  bool check(const Credentials &credentials, std::function<void()> done) const;
  /// Checks them on this thread.
  void check_now(const Credentials &credentials) const;
  /// Judges if the request's user may use a listener that is not for every user (HttpConfig::any_user): the one that
  /// this process runs as, or root. It is granted if there are tokens, which count then.
  Verdict judge_user(const http::Request &request) const;

  /// Responds to every verdict but `granted`: with 401 or 403, or with 429 if too many wrong tokens came from the
  /// client's address.
  void refuse(const http::Request &request, http::Response &response, Verdict verdict) const;
  /// Counts a wrong token, and holds its response back if there were too many. Returns true if there were.
  bool slow_down(const http::Request &request, http::Response &response) const;

  bool has_tokens() const { return has_tokens_; }
  /// Returns how many wrong tokens came.
  std::uint64_t wrong_tokens() const { return wrong_->count(); }
  const std::string &config_field() const { return field_; }

private:
  Verdict judge_token(const Credentials &credentials, const Token *token, bool write, std::string_view key,
                      bool is_base) const;
  const Source *unchecked(const Credentials &credentials) const;

  std::string field_;
  bool loopback_;
  bool any_user_;
  std::vector<std::string> hosts_; ///< each an authority
  std::vector<std::string> origins_;
  bool has_tokens_;
  std::vector<std::shared_ptr<const Token>> tokens_; ///< of the config
  std::vector<Source> files_;
  std::shared_ptr<WrongTokens> wrong_;
};

/// Splits the target and judges the Host, which a URL as target overrides. Returns false if the request was refused.
bool admit_target(const Guard &guard, http::Request &request, http::Response &response, http::Target &target);

/// Grants the request the access of its Origin. Returns false if it comes from a page of an origin without access.
bool admit_origin(const Guard &guard, http::Request &request, const http::Target &target);
void refuse_origin(const Guard &guard, const http::Request &request, http::Response &response);

/// Responds to OPTIONS with the methods, and to a browser that checks beforehand if a page may use them.
void respond_to_options(const Guard &guard, const http::Request &request, http::Response &response,
                        std::string_view methods, bool foreign);

} // namespace omnistore::routes
