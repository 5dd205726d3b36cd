// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include <omnistore/failure.hpp>
#include <omnistore/pem_file.hpp>

namespace postgres {
namespace {

using omnistore::Failure;

/// libpq itself looks at these only when it connects, and the store would then wait for a server that is never there.
/// The message does not quote a port, which may be a part of a password that is not encoded.
void check(std::string_view parameter, std::string_view value) {
  if (parameter == "port") {
    for (std::size_t at = 0; at <= value.size();) { // one for each host
      const std::size_t end = std::min(value.find(',', at), value.size());
      const std::string_view port = value.substr(at, end - at);
      unsigned number = 0;
      const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
      if (!port.empty() && (error != std::errc() || rest != port.data() + port.size() || number == 0 || number > 65535))
        throw Failure(OMNISTORE_INVALID, "option url: its port is no number from 1 to 65535");
      at = end + 1;
    }
  } else if (parameter == "sslmode") {
    constexpr std::string_view modes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
    if (std::find(std::begin(modes), std::end(modes), value) == std::end(modes))
      throw Failure(OMNISTORE_INVALID, "option url: there is no sslmode " + std::string(value));
  }
}

/// libpq would wait at the terminal for the passphrase of an encrypted key, and connect without a certificate that is
/// not there.
void check_tls_files(const std::vector<std::pair<std::string, std::string>> &parameters) {
  const auto given = [&](std::string_view name) {
    std::string value; // the last one counts
    for (const auto &[parameter, text] : parameters)
      if (parameter == name) value = text;
    return value;
  };
  if (given("sslmode") == "disable") return;
  for (const auto &[name, wanted] : {std::pair{"sslrootcert", omnistore::Pem::certificate},
                                     {"sslcert", omnistore::Pem::certificate},
                                     {"sslkey", omnistore::Pem::key}}) {
    const std::string file = given(name);
    // "engine:name" is a key in a device.
    const bool is_device = file.find(':') != file.npos && !file.starts_with('/');
    if (file.empty() || (wanted == omnistore::Pem::key && (is_device || !given("sslpassword").empty()))) continue;
    if (const std::string why = omnistore::pem_problem(file, wanted); !why.empty())
      throw Failure(OMNISTORE_INVALID, "option " + std::string(name) + ": " + file + ": " + why);
  }
}

} // namespace

Settings::Settings(const omnistore::Options &options)
    : is_db0(options.string("layout", "omnistore") == "db0"), table(options.string("table", "")),
      triggers(options.boolean("triggers")), connections(static_cast<std::size_t>(options.integer("connections"))),
      connect_timeout(options.integer("connectTimeout")) {
  parameters.emplace_back("fallback_application_name", "omnistore");
  if (options.has("url")) {
    char *error = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parts(
        PQconninfoParse(options.string("url").c_str(), &error), &PQconninfoFree);
    PQfreemem(error); // it may quote the password
    if (!parts)
      throw Failure(OMNISTORE_INVALID,
                    "option url: it is no connection URI such as postgresql://user@host:5432/database");
    for (const PQconninfoOption *part = parts.get(); part->keyword; ++part) {
      if (!part->val) continue;
      check(part->keyword, part->val);
      parameters.emplace_back(part->keyword, part->val);
    }
  }
  for (const auto &[option, parameter] : {std::pair{"host", "host"},
                                          {"user", "user"},
                                          {"password", "password"},
                                          {"database", "dbname"},
                                          {"sslmode", "sslmode"},
                                          {"sslrootcert", "sslrootcert"},
                                          {"sslcert", "sslcert"},
                                          {"sslkey", "sslkey"}})
    if (options.has(option)) parameters.emplace_back(parameter, options.string(option));
  check_tls_files(parameters);
  if (options.has("port")) parameters.emplace_back("port", std::to_string(options.integer("port")));
  parameters.emplace_back("client_encoding", "UTF8");
}

} // namespace postgres
