// SPDX-License-Identifier: Apache-2.0
#include "cli/admin.hpp"

#include <boost/json/parse.hpp>

#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/host.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

struct Place {
  std::string url, token;
  std::string advice; ///< where nobody answers
};

Place from_config(const Global &global) {
  const Config config = load_config(global);
  if (config.admin.listen.empty())
    throw Failure(Status::invalid, "config " + config.file + ": the admin listener is turned off",
                  "name a host's with --admin-url");
  Place place{"http://" + config.admin.listen, global.token,
              "see that a host runs with " + config.file + ", or name another one's with --admin-url"};
  for (const HttpConfig::Token &token : config.admin.tokens)
    if (place.token.empty() && token.write && token.bases.empty()) place.token = token.value;
  return place;
}

Place place_of(const Global &global) {
  if (!global.admin.empty()) return {global.admin, global.token, "see that the host runs"};
  if (!global.remote()) return from_config(global);
  // The ports of a config without any are one apart.
  const HttpClient data(global.url);
  return {"http://" + data.host() + ":" + std::to_string(data.port() + 1), global.token,
          "this asks the host's admin listener: say where it is with --admin-url"};
}

/// The command that was typed, by what it asks: "unmount" for DELETE /mounts/scratch.
std::string command_of(const std::string &method, const std::string &path) {
  if (!path.starts_with("/mounts/")) return path.substr(1, path.find_first_of("/?", 1) - 1);
  return method == "DELETE" ? "unmount" : "mount";
}

} // namespace

boost::json::object ask_admin(const Global &global, const std::string &path, const std::string &method,
                              std::string_view body) {
  const Place place = place_of(global);
  Host host(place.url, place.token);
  const std::string what = command_of(method, path) + " at " + place.url;
  HttpAnswer answer;
  try {
    answer = host.send({method, path, {}, body});
  } catch (const Error &error) {
    throw Failure(error.status(), error.what(), place.advice);
  }
  if (answer.status == 403 && answer.header("WWW-Authenticate").empty())
    throw Failure(Status::denied, error_of(what, answer).what(), "run this as that user, or as root with sudo");
  if (answer.status != 200) throw error_of(what, answer);
  boost::system::error_code broken;
  const boost::json::value json = boost::json::parse(answer.body, broken);
  if (broken || !json.is_object()) throw Error(Status::internal, what + ": the answer is no JSON object");
  return json.get_object();
}

std::string mount_path(const std::string &mountpoint) {
  const std::string point = normal_form(mountpoint);
  return "/mounts/" + escape(point);
}

} // namespace omnistore::cli
