// SPDX-License-Identifier: Apache-2.0
// Ends TLS before a server that speaks plain HTTP, with a certificate that it signs itself.
#pragma once

#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include "support/loopback.hpp"

namespace test {

/// It listens on a free port of 127.0.0.1 from its constructor to its destructor, and sends the bytes of each
/// connection on to another port there.
class TlsFront {
public:
  explicit TlsFront(std::uint16_t behind) : behind_(behind) {
    certify();
    port_.listen();
    acceptor_ = std::thread([this] { accept_all(); });
  }
  TlsFront(const TlsFront &) = delete;
  TlsFront &operator=(const TlsFront &) = delete;
  ~TlsFront() {
    ::shutdown(port_.socket(), SHUT_RDWR);
    acceptor_.join();
    for (Connection &each : connections_) ::shutdown(each.descriptor, SHUT_RDWR);
    for (Connection &each : connections_) {
      each.thread.join();
      ::close(each.descriptor);
    }
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(port()); }
  std::uint16_t port() const { return port_.number(); }
  /// Returns the server name in the last handshake; empty: it had none.
  std::string requested_name() const {
    const std::lock_guard lock(mutex_);
    return requested_name_;
  }
  /// Its certificate as PEM.
  const std::string &certificate() const { return certificate_; }

private:
  struct Connection {
    int descriptor;
    std::thread thread{};
  };
  template <class T, void (*Free)(T *)>
  struct Frees {
    void operator()(T *object) const { Free(object); }
  };
  template <class T, void (*Free)(T *)>
  using Owned = std::unique_ptr<T, Frees<T, Free>>;

  /// Makes a key and a certificate for 127.0.0.1.
  void certify() {
    const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
    const Owned<X509, X509_free> certificate(X509_new());
    X509 *const raw = certificate.get();
    X509_set_version(raw, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), 1);
    X509_gmtime_adj(X509_getm_notBefore(raw), -3600);
    X509_gmtime_adj(X509_getm_notAfter(raw), 3600);
    X509_set_pubkey(raw, key.get());
    X509_NAME *const name = X509_get_subject_name(raw);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>("127.0.0.1"), -1, -1,
                               0);
    X509_set_issuer_name(raw, name);
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"));
    X509_add_ext(raw, extension.get(), -1);
    if (X509_sign(raw, key.get(), EVP_sha256()) == 0) throw std::runtime_error("the certificate cannot be signed");
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(context_.get(), raw);
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
    const Owned<BIO, BIO_free_all> text(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(text.get(), raw);
    char *data = nullptr;
    const long size = BIO_get_mem_data(text.get(), &data);
    certificate_.assign(data, static_cast<std::size_t>(size));
  }

  void accept_all() {
    for (;;) {
      const int descriptor = ::accept4(port_.socket(), nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      connections_.push_back({descriptor});
      connections_.back().thread = std::thread([this, descriptor] {
        serve(descriptor);
        ::shutdown(descriptor, SHUT_RDWR);
      });
    }
  }

  void serve(int client) {
    const Owned<SSL, SSL_free> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), client);
    const bool accepted = SSL_accept(tls.get()) == 1;
    if (const char *const name = SSL_get_servername(tls.get(), TLSEXT_NAMETYPE_host_name)) {
      const std::lock_guard lock(mutex_);
      requested_name_ = name;
    }
    if (!accepted) return;
    const int server = connected_to(behind_);
    if (server < 0) return;
    pump(*tls, client, server);
    ::close(server);
  }

  static void pump(SSL &tls, int client, int server) {
    char bytes[16 * 1024];
    for (;;) {
      pollfd ready[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (SSL_pending(&tls) == 0 && ::poll(ready, 2, -1) < 0) return;
      if (SSL_pending(&tls) != 0 || ready[0].revents != 0) {
        const int got = SSL_read(&tls, bytes, sizeof bytes);
        if (got <= 0 || ::send(server, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return;
      }
      if (ready[1].revents != 0) {
        const ssize_t got = ::recv(server, bytes, sizeof bytes, 0);
        if (got <= 0 || SSL_write(&tls, bytes, static_cast<int>(got)) <= 0) return;
      }
    }
  }

  const std::uint16_t behind_;
  std::string certificate_;
  mutable std::mutex mutex_;
  std::string requested_name_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  LoopbackPort port_;
  std::thread acceptor_;
  std::list<Connection> connections_; // the acceptor alone adds to it
};

} // namespace test
