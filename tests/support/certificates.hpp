// SPDX-License-Identifier: Apache-2.0
// An authority of a test's own, and certificates that it signs, as PEM files.
#pragma once

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/temporary.hpp"

namespace test {

/// The files are gone with the object.
class Authority {
public:
  struct Pair {
    std::string cert, key; ///< the paths
  };

  Authority() : key_(EVP_EC_gen("P-256")), certificate_(sign("Test authority", key_.get(), "CA:TRUE", "")) {
    write(folder_ / "ca.pem", [&](std::FILE *file) { return PEM_write_X509(file, certificate_.get()); });
  }

  std::string ca() const { return folder_ / "ca.pem"; }
  /// Makes NAME.pem and NAME.key; `names` such as "IP:127.0.0.1,DNS:redis.test" are those of the subject. The
  /// certificate ends in `lasts` seconds.
  Pair pair(const std::string &name, const std::string &names, long lasts = 3600) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = sign(name, key.get(), "CA:FALSE", names, lasts);
    const Pair made{folder_ / (name + ".pem"), folder_ / (name + ".key")};
    write(made.cert, [&](std::FILE *file) { return PEM_write_X509(file, certificate.get()); });
    write(made.key, [&](std::FILE *file) {
      return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    return made;
  }
  /// The arguments of a redis-server for 127.0.0.1 and redis.test. `clients` is "yes" if it requires a certificate of
  /// each client.
  std::vector<std::string> redis_arguments(const std::string &clients = "no") const {
    const Pair server = pair("server", "IP:127.0.0.1,DNS:redis.test");
    return {"--tls-cert-file",    server.cert, "--tls-key-file",     server.key,
            "--tls-ca-cert-file", ca(),        "--tls-auth-clients", clients};
  }

private:
  struct Free {
    void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
    void operator()(X509 *certificate) const { X509_free(certificate); }
    void operator()(X509_EXTENSION *extension) const { X509_EXTENSION_free(extension); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;

  static void extend(X509 *certificate, int which, const std::string &value) {
    const std::unique_ptr<X509_EXTENSION, Free> extension(X509V3_EXT_conf_nid(nullptr, nullptr, which, value.c_str()));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1)
      throw std::runtime_error("the certificate cannot be extended by " + value);
  }
  Certificate sign(const std::string &name, EVP_PKEY *key, const char *constraints, const std::string &names,
                   long lasts = 3600) const {
    Certificate made(X509_new());
    X509 *const raw = made.get();
    X509_set_version(raw, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(raw), -3600);
    X509_gmtime_adj(X509_getm_notAfter(raw), lasts);
    X509_set_pubkey(raw, key);
    X509_NAME *const subject = X509_get_subject_name(raw);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char *>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(raw, certificate_ ? X509_get_subject_name(certificate_.get()) : subject);
    extend(raw, NID_basic_constraints, constraints);
    if (!names.empty()) extend(raw, NID_subject_alt_name, names);
    if (X509_sign(raw, key_.get(), EVP_sha256()) == 0) throw std::runtime_error("the certificate cannot be signed");
    return made;
  }
  template <class Write>
  static void write(const std::string &path, Write to) {
    std::FILE *const file = std::fopen(path.c_str(), "w");
    const bool good = file && to(file) == 1;
    if (!file || std::fclose(file) != 0 || !good) throw std::runtime_error("cannot write " + path);
  }

  Folder folder_;
  mutable long serial_ = 0;
  Key key_;
  Certificate certificate_;
};

} // namespace test
