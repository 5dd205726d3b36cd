// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <new>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <omnistore/error.hpp>

#include "base/printable.hpp"
#include "tls/module/module.hpp"

namespace omnistore::tls {

namespace {

/// HTTP/1.1 is the only protocol. A client that names others but not this one is refused.
int choose_protocol(SSL *, const unsigned char **chosen, unsigned char *size, const unsigned char *offered,
                    unsigned int offered_size, void *) {
  static constexpr unsigned char ours[] = "\x08http/1.1\x08http/1.0";
  unsigned char *found = nullptr;
  if (SSL_select_next_proto(&found, size, ours, sizeof ours - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// OpenSSL's own BIO for sockets would end the process by SIGPIPE if a client has gone.

int socket_of(BIO *bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int send_to_socket(BIO *bio, const char *bytes, int count) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(socket_of(bio), bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int receive_from_socket(BIO *bio, char *into, int most) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(socket_of(bio), into, static_cast<std::size_t>(most), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long control_socket(BIO *, int what, long, void *) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

/// Returns null if there is no memory for it.
BIO *over_socket(int socket) {
  static const BIO_METHOD *const method = [] {
    BIO_METHOD *const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    BIO_meth_set_write(made, &send_to_socket);
    BIO_meth_set_read(made, &receive_from_socket);
    BIO_meth_set_ctrl(made, &control_socket);
    return made;
  }();
  BIO *const bio = BIO_new(method);
  if (!bio) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void *>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  return bio;
}

std::string text_of(BIO *bio) {
  char *data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

/// Returns a text of a certificate; empty if it contains a NUL, with which it would look like another name.
std::string text_of(const ASN1_IA5STRING *name) {
  const std::string text(reinterpret_cast<const char *>(ASN1_STRING_get0_data(name)),
                         static_cast<std::size_t>(ASN1_STRING_length(name)));
  return text.find('\0') == text.npos ? text : std::string();
}

std::vector<std::string> names_of(const X509 *certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  if (bio && X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) > 0)
    names.push_back(text_of(bio.get()));
  auto *const others =
      static_cast<GENERAL_NAMES *>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(others); ++i) {
    const GENERAL_NAME *const name = sk_GENERAL_NAME_value(others, i);
    const char *const kind = name->type == GEN_DNS     ? "DNS:"
                             : name->type == GEN_URI   ? "URI:"
                             : name->type == GEN_EMAIL ? "email:"
                                                       : nullptr;
    if (!kind) continue;
    if (const std::string text = text_of(name->d.ia5); !text.empty()) names.push_back(kind + text);
  }
  GENERAL_NAMES_free(others);
  return names;
}

Context::End end_of(const X509 *certificate) {
  const ASN1_TIME *const end = X509_get0_notAfter(certificate);
  std::tm time{};
  ASN1_TIME_to_tm(end, &time);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
  const bool shown = bio && ASN1_TIME_print(bio.get(), end) == 1;
  return {::timegm(&time), shown ? text_of(bio.get()) : std::string()};
}

class OpenSession : public Session {
public:
  /// Owns the session.
  OpenSession(SSL *session, std::shared_ptr<const void> held) : session_(session), held_(std::move(held)) {}
  ~OpenSession() override { SSL_free(session_); }

  Result handshake() override;
  Result read(char *into, std::size_t most, std::size_t &count) override;
  Result write(std::string_view bytes, std::size_t &count) override;
  void end() override;

private:
  Result result_of(int returned);
  void take_certificate();

  SSL *const session_;
  const std::shared_ptr<const void> held_;
  bool is_broken_ = false; ///< no more may be sent
  bool is_open_ = false;   ///< the handshake is done
};

/// Judges a return value of OpenSSL that means no progress.
Session::Result OpenSession::result_of(int returned) {
  switch (SSL_get_error(session_, returned)) {
  case SSL_ERROR_WANT_READ:
    return Result::await_input;
  case SSL_ERROR_WANT_WRITE:
    return Result::await_output;
  case SSL_ERROR_ZERO_RETURN:
    return Result::ended;
  default:
    is_broken_ = true;
    return Result::ended;
  }
}

Session::Result OpenSession::handshake() {
  ERR_clear_error(); // SSL_get_error looks at what earlier calls on this thread have left
  const int returned = SSL_accept(session_);
  if (returned == 1) {
    is_open_ = true;
    take_certificate();
    return Result::done;
  }
  const Result result = result_of(returned);
  if (result != Result::ended) return result;
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) failure_ = ERR_reason_error_string(code);
  ERR_clear_error();
  return ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST ? Result::plain : result;
}

void OpenSession::take_certificate() {
  const X509 *const certificate = SSL_get0_peer_certificate(session_);
  if (!certificate || SSL_get_verify_result(session_) != X509_V_OK) return;
  certificate_ = std::make_unique<ClientCertificate>(ClientCertificate{names_of(certificate)});
}

Session::Result OpenSession::read(char *into, std::size_t most, std::size_t &count) {
  ERR_clear_error();
  const int returned = SSL_read(session_, into, static_cast<int>(std::min<std::size_t>(most, INT_MAX)));
  count = returned > 0 ? static_cast<std::size_t>(returned) : 0;
  return returned > 0 ? Result::done : result_of(returned);
}

Session::Result OpenSession::write(std::string_view bytes, std::size_t &count) {
  ERR_clear_error();
  const int returned =
      SSL_write(session_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
  count = returned > 0 ? static_cast<std::size_t>(returned) : 0;
  if (returned > 0) return Result::done;
  const Result result = result_of(returned);
  // There is no renegotiation, so that sending never waits for the client's bytes.
  return result == Result::await_input ? Result::ended : result;
}

void OpenSession::end() {
  if (!is_open_ || is_broken_) return;
  ERR_clear_error();
  SSL_shutdown(session_);
  is_broken_ = true;
}

class FileContext : public Context {
public:
  FileContext(const HttpConfig::Tls &config, std::string field) : field_(std::move(field)), context_(load(config)) {}

  bool reload(const HttpConfig::Tls &config) override;
  End end() const override;
  std::unique_ptr<Session> begin(int socket, std::shared_ptr<const void> held) const override;

private:
  std::shared_ptr<SSL_CTX> load(const HttpConfig::Tls &config) const;

  const std::string field_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
};

std::shared_ptr<SSL_CTX> FileContext::load(const HttpConfig::Tls &config) const {
  const auto refuse = [this](const char *part) {
    return [prefix = field_ + ".tls." + part + ": "](const std::string &file, const std::string &why) {
      throw Error(Status::invalid, prefix + base::printable(file) + ": " + base::printable(why));
    };
  };
  const std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!made) throw Error(Status::unavailable, field_ + ".tls: " + last_failure());
  SSL_CTX *const context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // TLS 1.2 only with forward secrecy and authenticated encryption; all of TLS 1.3's have both.
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
  const std::string id = field_.substr(0, SSL_MAX_SID_CTX_LENGTH);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char *>(id.data()),
                                 static_cast<unsigned>(id.size()));
  use_certificate(context, config.certificate, config.key, refuse("certificate"), refuse("key"));
  if (config.client_ca.empty()) {
    if (config.require_client)
      throw Error(Status::invalid, field_ + ".tls.requireClient: clientCa must name the authorities of the clients");
    return made;
  }
  use_authorities(context, config.client_ca, refuse("clientCa"));
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(config.client_ca.c_str()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (config.require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return made;
}

bool FileContext::reload(const HttpConfig::Tls &config) {
  std::shared_ptr<SSL_CTX> other = load(config);
  const std::lock_guard lock(mutex_);
  context_.swap(other);
  return X509_cmp(SSL_CTX_get0_certificate(context_.get()), SSL_CTX_get0_certificate(other.get())) != 0;
}

Context::End FileContext::end() const {
  const std::lock_guard lock(mutex_);
  return end_of(SSL_CTX_get0_certificate(context_.get()));
}

std::unique_ptr<Session> FileContext::begin(int socket, std::shared_ptr<const void> held) const {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  SSL *const session = SSL_new(context.get()); // which shares the context
  BIO *const bio = session ? over_socket(socket) : nullptr;
  try {
    if (!bio) throw std::bad_alloc();
    SSL_set_bio(session, bio, bio); // the session owns it
    SSL_set_accept_state(session);
    return std::make_unique<OpenSession>(session, std::move(held));
  } catch (const std::bad_alloc &) {
    SSL_free(session);
    return nullptr;
  }
}

} // namespace

std::unique_ptr<Context> listen(const HttpConfig::Tls &config, const std::string &field) {
  return std::make_unique<FileContext>(config, field);
}

} // namespace omnistore::tls
