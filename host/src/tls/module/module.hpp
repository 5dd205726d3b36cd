// SPDX-License-Identifier: Apache-2.0
// The two parts of the module.
#pragma once

#include <functional>
#include <string>

#include <openssl/ssl.h>

#include "tls/tls.hpp"

namespace omnistore::tls {

/// Returns OpenSSL's own words for the last failure on this thread, and forgets it.
std::string last_failure();

/// Throws the error for a file that cannot be used, with the reason.
using Refuse = std::function<void(const std::string &file, const std::string &why)>;

/// Gives the context a certificate with those between it and its authority, and its key. An empty `key`: the same file
/// has it.
void use_certificate(SSL_CTX *context, const std::string &certificate, const std::string &key,
                     const Refuse &refuse_certificate, const Refuse &refuse_key);
/// Lets the context trust these authorities, in place of the system's.
void use_authorities(SSL_CTX *context, const std::string &file, const Refuse &refuse);

std::unique_ptr<Context> listen(const HttpConfig::Tls &config, const std::string &field);
std::unique_ptr<Client> connect(int socket, const std::string &host, const std::string &address,
                                const ClientFiles &files);

} // namespace omnistore::tls
