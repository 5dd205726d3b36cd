// SPDX-License-Identifier: Apache-2.0
#include "server/admin_routes.hpp"

#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "server/describe.hpp"
#include "server/metrics_text.hpp"
#include "server/reply.hpp"

namespace omnistore::server {

namespace json = boost::json;

struct AdminRoutes::Path {
  std::string_view path, summary;
  Handler handler;
  bool open;  ///< needs no token
  bool waits; ///< reads files, so it is answered on a thread of the pool
};

const AdminRoutes::Path *AdminRoutes::find(std::string_view path) {
  static constexpr Path paths[] = {
      {"/", "What is here", &AdminRoutes::index, false, false},
      {"/health", "200 as long as the process serves", &AdminRoutes::health, true, false},
      {"/ready", "200 when every mount that must be there is, else 503", &AdminRoutes::ready, true, false},
      {"/metrics", "Counters and latencies for Prometheus", &AdminRoutes::metrics, false, true},
      {"/stats", "Counters and latencies", &AdminRoutes::stats, false, true},
      {"/mounts", "What is mounted where", &AdminRoutes::mounts, false, false},
      {"/drivers", "The drivers that there are", &AdminRoutes::drivers, false, true},
  };
  if (path.empty()) return std::begin(paths);
  for (const Path &known : paths) {
    if (known.path == path) return &known;
  }
  return nullptr;
}

namespace {

constexpr std::string_view admin_methods = "GET, HEAD, OPTIONS";

void reply_json(const Request &request, Response &response, unsigned status, const json::value &value) {
  begin_head(response, status);
  response.out.append("Content-Type: application/json\r\nCache-Control: no-store\r\n");
  const std::string body = json::serialize(value) + "\n";
  end_head(request, response, body.size());
  if (request.method != Method::head) response.out.append(body);
}

} // namespace

AdminRoutes::AdminRoutes(Storage &storage, loader::Registry &registry, const Config &config, Guard guard,
                         std::function<HostState()> state)
    : storage_(storage), registry_(registry), config_(config), guard_(std::move(guard)), state_(std::move(state)) {}

bool AdminRoutes::admit(Request &request, Response &response) {
  Target target;
  if (!admit_target(guard_, request, response, target)) return false;
  const bool foreign = !admit_origin(guard_, request, target);
  if (request.method == Method::options) {
    answer_options(guard_, request, response, admin_methods, foreign);
    return false;
  }
  const Path *path = find(target.path);
  if (!path) {
    reply_error(request, response, 404, "There is no such page; / tells what is here");
    return false;
  }
  if (request.method != Method::get && request.method != Method::head) {
    reply_error(request, response, 405, "This method is not allowed here", "Allow: GET, HEAD, OPTIONS\r\n");
    return false;
  }
  request.key = path->path;
  const Guard::Verdict verdict = guard_.judge(request[Field::authorization]);
  if (path->open || verdict == Guard::Verdict::granted) return true;
  refuse(request, response, verdict);
  return false;
}

std::string AdminRoutes::lane(const Request &request) { return find(request.key)->waits ? "admin" : std::string(); }

void AdminRoutes::answer(Request &request, Response &response) noexcept {
  const std::size_t mark = response.out.size();
  try {
    (this->*find(request.key)->handler)(request, response);
  } catch (const Error &error) {
    response.out.truncate(mark);
    reply_error(request, response, http_status(error.status()), error.what());
  } catch (const std::exception &error) {
    response.out.truncate(mark);
    reply_error(request, response, 500, error.what());
  }
}

void AdminRoutes::index(const Request &request, Response &response) {
  json::object paths;
  for (const std::string_view path : {"/health", "/ready", "/metrics", "/stats", "/mounts", "/drivers"}) {
    paths[path] = find(path)->summary;
  }
  reply_json(request, response, 200,
             json::object{{"name", "omnistore"}, {"version", OMNISTORE_VERSION}, {"paths", paths}});
}

void AdminRoutes::health(const Request &request, Response &response) {
  reply_json(request, response, 200, json::object{{"status", "ok"}});
}

void AdminRoutes::ready(const Request &request, Response &response) {
  json::array reasons;
  if (state_().stopping) reasons.emplace_back("the host is stopping");
  for (const MountInfo &mount : storage_.mounts()) {
    const auto configured = config_.mounts.find(mount.mountpoint);
    const bool optional = configured != config_.mounts.end() && configured->second.optional;
    if (mount.available || optional) continue;
    reasons.emplace_back("mount " + (mount.mountpoint.empty() ? "(root)" : mount.mountpoint) + ": " + mount.reason);
  }
  json::object body{{"status", reasons.empty() ? "ready" : "not ready"}};
  const bool is_ready = reasons.empty();
  if (!is_ready && guard_.judge(request[Field::authorization]) == Guard::Verdict::granted) {
    body["reasons"] = std::move(reasons);
  }
  reply_json(request, response, is_ready ? 200 : 503, body);
}

void AdminRoutes::metrics(const Request &request, Response &response) {
  reply(request, response, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(storage_.stats(), state_()));
}

void AdminRoutes::stats(const Request &request, Response &response) {
  reply_json(request, response, 200, describe(storage_.stats(), state_()));
}

void AdminRoutes::mounts(const Request &request, Response &response) {
  reply_json(request, response, 200, describe(storage_.mounts()));
}

void AdminRoutes::drivers(const Request &request, Response &response) {
  reply_json(request, response, 200, describe(registry_, storage_.mounts()));
}

} // namespace omnistore::server
