// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <climits>
#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <omnistore/error.hpp>

#include "tls/module/module.hpp"

namespace omnistore::tls {

namespace {

bool is_address(const std::string &host) {
  unsigned char parsed[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), parsed) == 1 || ::inet_pton(AF_INET6, host.c_str(), parsed) == 1;
}

using OwnContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

OwnContext context_for(const ClientFiles &files) {
  OwnContext context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context) throw Error(Status::unavailable, "TLS: " + last_failure());
  const auto refuse = [](const char *option) {
    return [option](const std::string &file, const std::string &why) {
      throw Error(Status::invalid, std::string(option) + " " + file + ": " + why);
    };
  };
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF); // the length of a response says if it is whole
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const std::string &trusted = files.pinned.empty() ? files.ca : files.pinned;
  if (trusted.empty())
    SSL_CTX_set_default_verify_paths(context.get());
  else
    use_authorities(context.get(), trusted, refuse(files.pinned.empty() ? "--ca" : "certificate"));
  if (!files.pinned.empty()) X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  if (!files.certificate.empty())
    use_certificate(context.get(), files.certificate, files.key, refuse("--cert"), refuse("--key"));
  return context;
}

class OpenClient : public Client {
public:
  OpenClient(int socket, const std::string &host, std::string address, const ClientFiles &files);
  ~OpenClient() override { SSL_free(session_); }
  OpenClient(const OpenClient &) = delete;
  OpenClient &operator=(const OpenClient &) = delete;

  short connect() override;
  short write(std::string_view bytes, std::size_t &sent) override;
  short read(char *into, std::size_t most, std::size_t &got) override;

private:
  short event_of(int returned, const char *operation);

  const std::string address_;
  SSL *session_ = nullptr;
};

OpenClient::OpenClient(int socket, const std::string &host, std::string address, const ClientFiles &files)
    : address_(std::move(address)) {
  const OwnContext context = context_for(files);
  session_ = SSL_new(context.get()); // which shares the context
  if (!session_ || SSL_set_fd(session_, socket) != 1) {
    SSL_free(session_);
    throw Error(Status::unavailable, "connect " + address_ + ": " + last_failure());
  }
  if (is_address(host)) {
    if (files.pinned.empty()) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_), host.c_str());
    return;
  }
  SSL_set_tlsext_host_name(session_, host.c_str());
  if (files.pinned.empty()) SSL_set1_host(session_, host.c_str());
}

short OpenClient::event_of(int returned, const char *operation) {
  switch (SSL_get_error(session_, returned)) {
  case SSL_ERROR_WANT_READ:
    return POLLIN;
  case SSL_ERROR_WANT_WRITE:
    return POLLOUT;
  case SSL_ERROR_ZERO_RETURN:
    return 0;
  default:
    const long verified = SSL_get_verify_result(session_);
    throw Error(Status::unavailable,
                std::string(operation) + " " + address_ + ": " +
                    (verified == X509_V_OK ? last_failure()
                                           : "the host's certificate is not accepted: " +
                                                 std::string(X509_verify_cert_error_string(verified))));
  }
}

short OpenClient::connect() {
  ERR_clear_error();
  const int returned = SSL_connect(session_);
  return returned == 1 ? 0 : event_of(returned, "connect");
}

short OpenClient::write(std::string_view bytes, std::size_t &sent) {
  ERR_clear_error();
  const int returned =
      SSL_write(session_, bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX)));
  sent = returned > 0 ? static_cast<std::size_t>(returned) : 0;
  return returned > 0 ? 0 : event_of(returned, "write to");
}

short OpenClient::read(char *into, std::size_t most, std::size_t &got) {
  ERR_clear_error();
  const int returned = SSL_read(session_, into, static_cast<int>(std::min<std::size_t>(most, INT_MAX)));
  got = returned > 0 ? static_cast<std::size_t>(returned) : 0;
  return returned > 0 ? 0 : event_of(returned, "read from");
}

} // namespace

std::unique_ptr<Client> connect(int socket, const std::string &host, const std::string &address,
                                const ClientFiles &files) {
  return std::make_unique<OpenClient>(socket, host, address, files);
}

} // namespace omnistore::tls
