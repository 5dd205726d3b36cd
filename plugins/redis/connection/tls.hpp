// SPDX-License-Identifier: Apache-2.0
// TLS for a connection, by OpenSSL: hiredis 0.14 has none of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "connection/url.hpp"

namespace redis {

/// The paths are those of PEM files.
struct TlsOptions {
  std::string ca;          ///< certificates that the server's is checked against; empty: the system's
  std::string cert, key;   ///< the client's own; both or none
  std::string server_name; ///< the name that the server's certificate must have; empty: the url's host
};

/// Throws Failure(OMNISTORE_INVALID) if the options do not fit the url.
void check_tls(const Endpoint &endpoint, const TlsOptions &options);

/// The settings of all connections to a server. Thread-safe.
class TlsSettings {
public:
  /// Throws Failure(OMNISTORE_INVALID) if a file cannot be read or is not right.
  explicit TlsSettings(const TlsOptions &options);

private:
  friend class TlsSession;
  struct Free {
    void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, Free> context_;
  const std::string server_name_;
};

/// TLS over one socket. One thread at a time may use it. It must not move.
class TlsSession {
public:
  /// Shakes hands. Throws Failure: DENIED if the certificate of the server or of the client is refused, UNAVAILABLE
  /// if the handshake fails in another way or is not finished at the deadline.
  TlsSession(const Endpoint &endpoint, int socket, std::chrono::steady_clock::time_point deadline);

  /// Each works as send() and recv() of the system: it returns -1 and sets errno, with EPROTO if TLS itself failed.
  /// After a send that returned -1 with EAGAIN, the same bytes must be sent again first.
  std::ptrdiff_t send(std::string_view bytes);
  std::ptrdiff_t receive(char *buffer, std::size_t size, int flags);
  /// Returns true if received bytes may be left that poll() on the socket does not show.
  bool has_more() const { return SSL_has_pending(session_.get()) != 0; }
  /// Returns true if the server requested a client certificate and there is none.
  bool lacks_certificate() const { return lacks_certificate_; }

private:
  struct Free {
    void operator()(SSL *session) const { SSL_free(session); }
  };
  friend struct SocketBio;

  void shake_hands(const std::string &name, std::chrono::steady_clock::time_point deadline);
  std::ptrdiff_t outcome(int result);

  const int socket_;
  int read_flags_ = 0;
  bool lacks_certificate_ = false;
  std::unique_ptr<SSL, Free> session_;
};

} // namespace redis
