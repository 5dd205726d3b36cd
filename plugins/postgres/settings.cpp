// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <memory>

#include <libpq-fe.h>

#include <omnistore/failure.hpp>

namespace postgres {

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
      throw omnistore::Failure(OMNISTORE_INVALID,
                               "option url: it is no connection URI such as postgresql://user@host:5432/database");
    for (const PQconninfoOption *part = parts.get(); part->keyword; ++part)
      if (part->val) parameters.emplace_back(part->keyword, part->val);
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
  if (options.has("port")) parameters.emplace_back("port", std::to_string(options.integer("port")));
  parameters.emplace_back("client_encoding", "UTF8");
}

} // namespace postgres
