// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cctype>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "server/client.hpp"
#include "support/certificates.hpp"

namespace test {

/// The client's side of TLS: the versions that it speaks, the protocols that it names, and its own certificate.
struct SecureSetting {
  const Authority *trusted;
  Authority::Pair own{};
  int least = TLS1_2_VERSION, most = TLS1_3_VERSION;
  std::string protocols{}; ///< of ALPN, each after its length
  std::string ciphers{};   ///< of TLS 1.2; empty for OpenSSL's own choice
};

/// One connection with TLS to an address such as "127.0.0.1:7700". It fails after 20 seconds without a byte.
class SecureClient {
public:
  /// Throws if there is no connection, or if the host refuses the handshake at once.
  SecureClient(const std::string &address, const SecureSetting &setting) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_security_level(context.get(), 0); // so that old versions can be tried
    SSL_CTX_set_min_proto_version(context.get(), setting.least);
    SSL_CTX_set_max_proto_version(context.get(), setting.most);
    if (!setting.ciphers.empty()) SSL_CTX_set_cipher_list(context.get(), setting.ciphers.c_str());
    SSL_CTX_load_verify_file(context.get(), setting.trusted->ca().c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!setting.own.cert.empty()) {
      SSL_CTX_use_certificate_chain_file(context.get(), setting.own.cert.c_str());
      SSL_CTX_use_PrivateKey_file(context.get(), setting.own.key.c_str(), SSL_FILETYPE_PEM);
    }
    BIO *const bio = BIO_new_connect(address.c_str());
    if (BIO_do_connect(bio) != 1) throw std::runtime_error("connect " + address);
    const timeval patience{20, 0};
    ::setsockopt(static_cast<int>(BIO_get_fd(bio, nullptr)), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    tls_.reset(SSL_new(context.get()));
    SSL_set_bio(tls_.get(), bio, bio);
    if (!setting.protocols.empty())
      SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char *>(setting.protocols.data()),
                          static_cast<unsigned>(setting.protocols.size()));
    if (SSL_connect(tls_.get()) == 1) return;
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    throw std::runtime_error(std::string("handshake: ") + (why ? why : "cut off"));
  }

  std::string version() const { return SSL_get_version(tls_.get()); }
  std::string protocol() const {
    const unsigned char *name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls_.get(), &name, &size);
    return {reinterpret_cast<const char *>(name), size};
  }
  /// The serial number of the host's certificate.
  long serial() const { return ASN1_INTEGER_get(X509_get0_serialNumber(SSL_get0_peer_certificate(tls_.get()))); }

  bool send(std::string_view bytes) {
    return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  /// Returns bytes until this text has come, with it; fewer if the connection ends before.
  std::string until(std::string_view text) {
    std::size_t at = 0;
    while ((at = buffered_.find(text)) == std::string::npos && fill()) {
    }
    return take(at == std::string::npos ? buffered_.size() : at + text.size());
  }
  Answer receive() {
    Answer answer;
    const std::string head = until("\r\n\r\n");
    if (!head.starts_with("HTTP/1.1 ") || !head.ends_with("\r\n\r\n")) return answer;
    for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const std::size_t end = head.find("\r\n", at), colon = head.find(':', at);
      std::string name = head.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    const std::string length = answer.header("content-length");
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    while (buffered_.size() < size && fill()) {
    }
    answer.body = take(std::min(size, buffered_.size()));
    if (answer.body.size() == size) answer.status = std::stoi(head.substr(9));
    return answer;
  }
  Answer ask(const std::string &method, const std::string &target, std::string_view body = {},
             const std::string &headers = {}) {
    send(request(method, target, body, headers));
    return receive();
  }
  bool ended() { return buffered_.empty() && !fill(); }

private:
  struct Free {
    void operator()(SSL *tls) const { SSL_free(tls); }
  };
  bool fill() {
    char piece[16 * 1024];
    const int got = SSL_read(tls_.get(), piece, sizeof piece);
    if (got > 0) buffered_.append(piece, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t count) {
    std::string taken = buffered_.substr(0, count);
    buffered_.erase(0, count);
    return taken;
  }

  std::unique_ptr<SSL, Free> tls_;
  std::string buffered_;
};

} // namespace test
