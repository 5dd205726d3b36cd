// SPDX-License-Identifier: Apache-2.0
#include "cli/admin.hpp"

#include <boost/json/parse.hpp>

#include "cli/find_config.hpp"
#include "cli/host_failure.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

/// An admin listener, and the next step if nothing is there.
struct AdminListener {
  std::string url, token, advice;
  tls::ClientFiles tls{};
};

tls::ClientFiles tls_files(const Global &global) { return {global.ca, global.certificate, global.key, {}}; }

AdminListener listener_in_config(const Global &global) {
  const Config config = load_config(global);
  if (config.admin.listen.empty())
    throw Failure(Status::invalid, "config " + config.file + ": the admin listener is turned off",
                  "name a host's with --admin-url");
  const bool is_unix = config.admin.listen.starts_with("unix:");
  AdminListener listener{(is_unix                      ? ""
                          : config.admin.tls.enabled() ? "https://"
                                                       : "http://") +
                             config.admin.listen,
                         global.token,
                         "see that a host runs with " + config.file + ", or name another one's with --admin-url",
                         tls_files(global)};
  // The certificate of this very config needs no authority, and is not for an address such as 127.0.0.1.
  if (listener.tls.ca.empty()) listener.tls.pinned = config.admin.tls.certificate;
  for (const HttpConfig::Token &token : config.admin.tokens)
    if (listener.token.empty() && token.write && token.bases.empty()) listener.token = token.value;
  return listener;
}

AdminListener listener_of(const Global &global) {
  if (!global.admin.empty()) return {global.admin, global.token, "see that the host runs", tls_files(global)};
  if (!global.remote()) return listener_in_config(global);
  // The default ports are one apart.
  const HostUrl data = parse_host_url(global.url);
  if (!data.socket.empty())
    throw Failure(Status::invalid, "this command uses the host's admin listener, and --url names the data listener",
                  "name the admin listener with --admin-url");
  return {(data.secure ? "https://" : "http://") + data.host + ":" + std::to_string(data.port + 1), global.token,
          "this command uses the host's admin listener: say with --admin-url where it is", tls_files(global)};
}

/// Returns the command that sends a request: "unmount" for DELETE /mounts/scratch.
std::string command_of(const std::string &method, const std::string &path) {
  if (path == "/session/link") return "login";
  if (!path.starts_with("/mounts/")) return path.substr(1, path.find_first_of("/?", 1) - 1);
  return method == "DELETE" ? "unmount" : "mount";
}

} // namespace

boost::json::object request_admin(const Global &global, const std::string &path, const std::string &method,
                                  std::string_view body) {
  const AdminListener listener = listener_of(global);
  const std::string what = command_of(method, path) + " at " + listener.url;
  AdminResponse response;
  try {
    response = send_to_admin(parse_host_url(listener.url), listener.token, listener.tls, {method, path, body});
  } catch (const Error &error) {
    const std::string tls = tls_advice(error.what());
    throw Failure(error.status(), error.what(), tls.empty() ? listener.advice : tls);
  }
  if (response.status == 403 && response.challenge.empty())
    throw Failure(Status::denied, admin_failure(what, response).what(), "run this as that user, or as root with sudo");
  if (response.status != 200) throw admin_failure(what, response);
  boost::system::error_code broken;
  const boost::json::value json = boost::json::parse(response.body, broken);
  if (broken || !json.is_object()) throw Error(Status::internal, what + ": the response is not a JSON object");
  return json.get_object();
}

std::string admin_url(const Global &global) { return listener_of(global).url; }

std::string mount_path(const std::string &mountpoint) { return "/mounts/" + escape(normal_form(mountpoint)); }

} // namespace omnistore::cli
