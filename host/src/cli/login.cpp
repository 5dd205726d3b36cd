// SPDX-License-Identifier: Apache-2.0
#include "cli/admin.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace omnistore::cli {

int run(const Global &global, const Login &) {
  const boost::json::object answer = request_admin(global, "/session/link", "POST");
  std::string url = admin_url(global);
  if (url.ends_with('/')) url.pop_back();
  url += answer.at("path").as_string();
  Output out;
  if (global.json)
    out.json(boost::json::object{{"page", url}});
  else
    out.line(url);
  out.flush();
  return 0;
}

} // namespace omnistore::cli
