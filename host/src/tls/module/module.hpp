// SPDX-License-Identifier: Apache-2.0
// The two parts of the module.
#pragma once

#include "tls/tls.hpp"

namespace omnistore::tls {

/// Returns OpenSSL's own words for the last failure on this thread, and forgets it.
std::string last_failure();

std::unique_ptr<Context> listen(const HttpConfig::Tls &config, const std::string &field);
std::unique_ptr<Client> connect(int socket, const std::string &host, const std::string &address,
                                const ClientFiles &files);

} // namespace omnistore::tls
