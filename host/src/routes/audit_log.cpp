// SPDX-License-Identifier: Apache-2.0
#include "routes/audit_log.hpp"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "http/peer.hpp"

namespace omnistore::routes {

namespace json = boost::json;

void AuditLog::write(const http::Request &request, std::string_view operation, std::string_view key, unsigned status) {
  const std::int64_t now = now_ms();
  const std::time_t seconds = now / 1000;
  std::tm parts{};
  char date[32], time[48];
  ::gmtime_r(&seconds, &parts);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(time, sizeof time, "%s.%03dZ", date, static_cast<int>(now % 1000));
  json::value identity(request.identity);
  if (request.identity.empty()) {
    const auto user = request.peer ? request.peer->known_user() : std::nullopt;
    identity = user ? json::value("uid " + std::to_string(*user)) : json::value();
  }
  json::object line{{"time", time},
                    {"client", request.peer ? request.peer->name() : std::string()},
                    {"identity", std::move(identity)},
                    {"operation", operation},
                    {"key", base::printable(key)},
                    {"status", status}};
  if (const std::string_view trace = request[http::Header::traceparent]; !trace.empty())
    line["trace"] = base::printable(trace);
  file_.write(base::printable_json(json::serialize(line)) + "\n");
}

} // namespace omnistore::routes
