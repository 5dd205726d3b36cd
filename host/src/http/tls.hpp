// SPDX-License-Identifier: Apache-2.0
// TLS on a listener's connections, by OpenSSL. Connections without TLS use nothing of this.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/config.hpp>

#include "http/memory_budget.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace omnistore::http {

/// The certificate that a client has presented, signed by one of the listener's authorities.
struct ClientCertificate {
  /// The whole subject as RFC 2253 writes it ("CN=backup,O=Example"), and each alternative name with its kind
  /// ("DNS:backup.example", "URI:...", "email:...").
  std::vector<std::string> names;

  bool has(std::string_view name) const;
};

/// One connection's side of TLS, over a socket that does not block and that somebody else owns. For one thread at a
/// time.
class TlsSession {
public:
  ~TlsSession();
  TlsSession(const TlsSession &) = delete;
  TlsSession &operator=(const TlsSession &) = delete;

  enum class Result {
    done,
    await_input,  ///< the socket must become readable first
    await_output, ///< the socket must take bytes first
    ended,        ///< the client has ended the connection, or it is broken
    plain         ///< of handshake(): the client speaks HTTP without TLS
  };
  Result handshake();
  /// Reads at most `most` bytes. After `await_input` nothing that was received is left here.
  Result read(char *into, std::size_t most, std::size_t &count);
  /// Sends some of the bytes, which must not be none. After `await_output` the next call must begin with the same
  /// bytes.
  Result write(std::string_view bytes, std::size_t &count);
  /// Sends the client the end of the session, if the socket takes that now.
  void end();

  /// Returns the client's certificate after the handshake; null if there is none.
  const ClientCertificate *certificate() const { return certificate_.get(); }

private:
  friend class TlsContext;
  TlsSession(ssl_st *session, MemoryBudget &memory);
  Result result_of(int returned);
  void take_certificate();

  const MemoryShare share_;
  ssl_st *const session_;
  bool is_broken_ = false; ///< no more may be sent
  bool is_open_ = false;   ///< the handshake is done
  std::unique_ptr<ClientCertificate> certificate_;
};

/// The certificate of a listener, and the authorities for those of its clients. Thread-safe.
class TlsContext {
public:
  /// Reads the files. Throws Error with the field, the file and the reason. `field` is the listener's, "server.http".
  TlsContext(const HttpConfig::Tls &config, std::string field);

  /// Reads the files that `config` names, for the connections that begin from now on. Throws as the constructor does,
  /// and keeps what it had.
  void reload(const HttpConfig::Tls &config);
  /// Begins TLS on a socket. Returns null if there is no memory for it.
  std::unique_ptr<TlsSession> begin(int socket, MemoryBudget &memory) const;

private:
  std::shared_ptr<ssl_ctx_st> load(const HttpConfig::Tls &config) const;

  const std::string field_;
  mutable std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;
};

} // namespace omnistore::http
