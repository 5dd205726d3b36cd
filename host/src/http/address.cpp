// SPDX-License-Identifier: Apache-2.0
#include "http/address.hpp"

#include <omnistore/error.hpp>

#include "base/authority.hpp"
#include "base/printable.hpp"

namespace omnistore::http {

std::string Address::text() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_listen(const std::string &text, const std::string &field) {
  const auto wrong = [&](const std::string &why) {
    return Error(Status::invalid, field + ".listen: expected " + why + ", found \"" + base::printable(text) + "\"");
  };
  const auto authority = base::parse_authority(text);
  if (!authority || !authority->port) throw wrong("ADDRESS:PORT such as 127.0.0.1:7700 or [::1]:7700");
  const bool is_name = authority->kind == base::Authority::Kind::name;
  if (is_name && !authority->is_loopback())
    throw wrong("an IP address such as 127.0.0.1, 0.0.0.0 or [::1], or localhost");
  return {is_name ? "127.0.0.1" : std::string(authority->host), *authority->port, authority->is_loopback()};
}

} // namespace omnistore::http
