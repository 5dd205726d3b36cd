// SPDX-License-Identifier: Apache-2.0
#include <openssl/err.h>

#include <omnistore/pem_file.hpp>

#include "tls/module/module.hpp"

namespace omnistore::tls {

namespace {

/// Returns OpenSSL's words for the innermost failure, which is about the bytes of the file.
std::string first_failure() {
  const unsigned long code = ERR_peek_error();
  const char *const words = ERR_reason_error_string(code);
  const std::string text = words ? words : "unknown reason";
  ERR_clear_error();
  return "what it contains cannot be read: " + text;
}

void check(const std::string &file, Pem wanted, const Refuse &refuse) {
  if (const std::string why = pem_problem(file, wanted); !why.empty()) refuse(file, why);
}

} // namespace

void use_certificate(SSL_CTX *context, const std::string &certificate, const std::string &key,
                     const Refuse &refuse_certificate, const Refuse &refuse_key) {
  const std::string &of_key = key.empty() ? certificate : key;
  check(certificate, Pem::certificate, refuse_certificate);
  check(of_key, Pem::key, refuse_key);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    refuse_certificate(certificate, first_failure());
  const bool taken = SSL_CTX_use_PrivateKey_file(context, of_key.c_str(), SSL_FILETYPE_PEM) == 1;
  if (!taken && ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_X509) refuse_key(of_key, first_failure());
  if (!taken || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    refuse_key(of_key, "it is not the key of the certificate " + certificate);
  }
}

void use_authorities(SSL_CTX *context, const std::string &file, const Refuse &refuse) {
  check(file, Pem::certificate, refuse);
  ERR_clear_error();
  if (SSL_CTX_load_verify_file(context, file.c_str()) != 1) refuse(file, first_failure());
}

} // namespace omnistore::tls
