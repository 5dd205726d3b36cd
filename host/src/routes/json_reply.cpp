// SPDX-License-Identifier: Apache-2.0
#include "routes/json_reply.hpp"

#include <string>

#include "base/printable.hpp"
#include "http/reply.hpp"
#include "report/describe.hpp"

namespace omnistore::routes {

void reply_json(const Request &request, Response &response, unsigned status, const boost::json::value &value,
                std::string_view extra) {
  begin_head(response, status);
  response.out.append("Content-Type: application/json\r\nCache-Control: no-store\r\n");
  response.out.append(extra);
  const std::string body = base::printable_json(report::to_text(value)) + "\n";
  end_head(request, response, body.size());
  if (request.message.method != Method::head) response.out.append(body);
}

} // namespace omnistore::routes
