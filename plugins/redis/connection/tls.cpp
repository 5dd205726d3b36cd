// SPDX-License-Identifier: Apache-2.0
#include "connection/tls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/socket.h>

#include <omnistore/failure.hpp>
#include <omnistore/pem_file.hpp>

namespace redis {

/// OpenSSL's own BIO for sockets raises SIGPIPE and cannot pass flags to recv().
struct SocketBio {
  static TlsSession &session(BIO *bio) { return *static_cast<TlsSession *>(BIO_get_data(bio)); }

  static int finish(BIO *bio, ssize_t count, int retry) {
    BIO_clear_retry_flags(bio);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_flags(bio, retry);
    return static_cast<int>(count);
  }
  static int write(BIO *bio, const char *bytes, int size) {
    const ssize_t sent =
        ::send(session(bio).socket_, bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    return finish(bio, sent, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
  }
  static int read(BIO *bio, char *buffer, int size) {
    const ssize_t got = ::recv(session(bio).socket_, buffer, static_cast<std::size_t>(size), session(bio).read_flags_);
    return finish(bio, got, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
  }
  static long control(BIO *, int command, long, void *) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO *make(TlsSession &session) {
    static const std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD *)> method( // freed when the plugin is unloaded
        [] {
          BIO_METHOD *made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "redis");
          if (!made) throw std::bad_alloc();
          BIO_meth_set_write(made, &write);
          BIO_meth_set_read(made, &read);
          BIO_meth_set_ctrl(made, &control);
          return made;
        }(),
        [](BIO_METHOD *freed) { BIO_meth_free(freed); });
    BIO *bio = BIO_new(method.get());
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

/// Returns the reason of the last error of OpenSSL on this thread, and clears it.
std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(code);
  std::string text = reason      ? reason
                     : code == 0 ? "the connection was closed"
                                 : std::generic_category().message(ERR_GET_REASON(code));
  ERR_clear_error();
  return text;
}

[[noreturn]] void refuse(const char *option, const std::string &why) {
  throw omnistore::Failure(OMNISTORE_INVALID, "option " + std::string(option) + ": " + why);
}

bool is_address(const std::string &name) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

omnistore::Failure not_trusted(long why, const std::string &name) {
  if (why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH)
    return {OMNISTORE_DENIED, "the server's certificate is not for " + name +
                                  "; set the option serverName to the name in the certificate, if that is the server"};
  std::string message = std::string("the server's certificate is not trusted: ") + X509_verify_cert_error_string(why);
  if (why != X509_V_ERR_CERT_HAS_EXPIRED && why != X509_V_ERR_CERT_NOT_YET_VALID)
    message += "; set the option ca to a file with the certificate of the authority that signed it";
  return {OMNISTORE_DENIED, message};
}

} // namespace

void check_tls(const Endpoint &endpoint, const TlsOptions &options) {
  if (!endpoint.secure) {
    const std::pair<const char *, const std::string &> all[] = {
        {"ca", options.ca}, {"cert", options.cert}, {"key", options.key}, {"serverName", options.server_name}};
    for (const auto &option : all)
      if (!option.second.empty()) refuse(option.first, "it is for TLS only; begin the url with rediss://");
  }
  if (options.cert.empty() != options.key.empty())
    refuse(options.cert.empty() ? "key" : "cert", "cert and key belong together; set both or none");
  const auto check = [](const char *option, const std::string &file, omnistore::Pem wanted) {
    const std::string why = file.empty() ? file : omnistore::pem_problem(file, wanted);
    if (!why.empty()) refuse(option, file + ": " + why);
  };
  check("ca", options.ca, omnistore::Pem::certificate);
  check("cert", options.cert, omnistore::Pem::certificate);
  check("key", options.key, omnistore::Pem::key);
}

TlsSettings::TlsSettings(const TlsOptions &options)
    : context_(SSL_CTX_new(TLS_client_method())), server_name_(options.server_name) {
  SSL_CTX *const context = context_.get();
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1); // otherwise each record takes two calls of recv()
  ERR_clear_error();
  if (options.ca.empty())
    SSL_CTX_set_default_verify_paths(context);
  else if (SSL_CTX_load_verify_file(context, options.ca.c_str()) != 1)
    refuse("ca", "no certificates can be read from " + options.ca + ": " + last_error());
  if (options.cert.empty()) return;
  if (SSL_CTX_use_certificate_chain_file(context, options.cert.c_str()) != 1)
    refuse("cert", "no certificate can be read from " + options.cert + ": " + last_error());
  if (SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    refuse("key", options.key + " is not the key of " + options.cert + ": " + last_error());
}

TlsSession::TlsSession(const Endpoint &endpoint, int socket, std::chrono::steady_clock::time_point deadline)
    : socket_(socket), session_(SSL_new(endpoint.tls->context_.get())) {
  if (!session_) throw std::bad_alloc();
  BIO *const bio = SocketBio::make(*this);
  SSL_set_bio(session_.get(), bio, bio);
  const std::string &name = endpoint.tls->server_name_.empty() ? endpoint.host : endpoint.tls->server_name_;
  if (is_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), name.c_str());
  } else {
    SSL_set_tlsext_host_name(session_.get(), name.c_str());
    SSL_set1_host(session_.get(), name.c_str());
  }
  SSL_set_app_data(session_.get(), this);
  // OpenSSL calls this if the server requests a certificate and none was set.
  SSL_set_cert_cb(
      session_.get(),
      [](SSL *session, void *) {
        auto &self = *static_cast<TlsSession *>(SSL_get_app_data(session));
        self.lacks_certificate_ = SSL_get_certificate(session) == nullptr;
        return 1;
      },
      nullptr);
  shake_hands(name, deadline);
}

void TlsSession::shake_hands(const std::string &name, std::chrono::steady_clock::time_point deadline) {
  read_flags_ = MSG_DONTWAIT;
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_connect(session_.get());
    if (result == 1) return;
    const int error = errno, problem = SSL_get_error(session_.get(), result);
    if (problem == SSL_ERROR_WANT_READ || problem == SSL_ERROR_WANT_WRITE) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0)
        throw omnistore::Failure(
            OMNISTORE_UNAVAILABLE, // a redis-server without TLS waits for the end of a line
            "the TLS handshake was not finished in time; check that the port is the server's tls-port");
      pollfd waited{socket_, static_cast<short>(problem == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
      poll(&waited, 1, static_cast<int>(std::min<long long>(left.count(), std::numeric_limits<int>::max())));
      continue;
    }
    const long verified = SSL_get_verify_result(session_.get());
    const bool no_tls = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_WRONG_VERSION_NUMBER;
    const std::string why =
        problem == SSL_ERROR_SYSCALL && error != 0 ? std::generic_category().message(error) : last_error();
    ERR_clear_error();
    if (verified != X509_V_OK) throw not_trusted(verified, name);
    if (no_tls)
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE,
                               "the server speaks no TLS on this port; use its tls-port, or redis:// without TLS");
    throw omnistore::Failure(lacks_certificate_ ? OMNISTORE_DENIED : OMNISTORE_UNAVAILABLE, "TLS: " + why);
  }
}

std::ptrdiff_t TlsSession::send(std::string_view bytes) {
  ERR_clear_error();
  errno = 0;
  return outcome(SSL_write(session_.get(), bytes.data(),
                           static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max()))));
}

std::ptrdiff_t TlsSession::receive(char *buffer, std::size_t size, int flags) {
  ERR_clear_error();
  errno = 0;
  read_flags_ = flags;
  return outcome(SSL_read(session_.get(), buffer, static_cast<int>(size)));
}

std::ptrdiff_t TlsSession::outcome(int result) {
  if (result > 0) return result;
  const int error = errno;
  switch (SSL_get_error(session_.get(), result)) {
  case SSL_ERROR_ZERO_RETURN:
    return 0;
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    errno = EAGAIN;
    return -1;
  case SSL_ERROR_SYSCALL:
    if (error == 0) return 0;
    errno = error;
    return -1;
  default:
    errno = EPROTO;
    return -1;
  }
}

} // namespace redis
