// SPDX-License-Identifier: Apache-2.0
#include "http/access_log.hpp"

#include <ctime>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/printable.hpp"

namespace omnistore::http {

namespace json = boost::json;

namespace {

std::string time_text(const char *format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  char text[64];
  ::gmtime_r(&now, &parts);
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

/// Returns a text for a field in quotes, which a quote in it does not end.
std::string field(std::string_view text) {
  std::string out;
  for (const char c : base::printable(text)) c == '"' ? out += "\\x22" : out += c;
  return out;
}

std::string version_of(const Request &request) { return request.version == 10 ? "HTTP/1.0" : "HTTP/1.1"; }

} // namespace

void AccessLog::write(const Entry &entry) {
  const Request *const request = entry.request;
  std::string line;
  if (json_) {
    json::object fields{{"time", time_text("%Y-%m-%dT%H:%M:%SZ")},
                        {"listener", entry.listener},
                        {"client", entry.client},
                        {"status", entry.status},
                        {"bytes", entry.bytes},
                        {"milliseconds", static_cast<double>(entry.took.count()) / 1000}};
    if (request) {
      fields["method"] = base::printable(request->method_text);
      fields["target"] = base::printable(request->target);
      if (!request->identity.empty()) fields["identity"] = request->identity;
      if (const std::string_view trace = (*request)[Header::traceparent]; !trace.empty())
        fields["trace"] = base::printable(trace);
    }
    line = base::printable_json(json::serialize(fields));
  } else {
    const std::string identity = request && !request->identity.empty() ? field(request->identity) : "-";
    line.append(entry.client).append(" - ").append(identity).append(time_text(" [%d/%b/%Y:%H:%M:%S +0000] \""));
    if (request)
      line += field(request->method_text) + " " + field(request->target) + " " + version_of(*request);
    else
      line += "-";
    line += "\" " + std::to_string(entry.status) + " " + std::to_string(entry.bytes);
  }
  file_.write(line + "\n");
}

} // namespace omnistore::http
