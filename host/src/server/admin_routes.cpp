// SPDX-License-Identifier: Apache-2.0
#include "server/admin_routes.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/printable.hpp"
#include "config/formats.hpp"
#include "server/describe.hpp"
#include "server/metrics_text.hpp"
#include "server/preconditions.hpp"
#include "server/reply.hpp"
#include "server/target.hpp"
#include "storage/key.hpp"

namespace omnistore::server {

namespace json = boost::json;

/// Who may use a path.
enum class AdminRoutes::Access {
  anyone,  ///< everybody, also without a token where there are tokens
  machine, ///< every user of this machine where there are no tokens, else whoever has one
  part,    ///< a token of any bases, which is shown no more than what lies in them
  whole,   ///< a token of all bases
  change   ///< a token that may write everything
};

struct AdminRoutes::Path {
  std::string_view path, summary; ///< a path that ends in '/' stands for all below it
  Handler handler;
  /// Of the pool, for what reads files or asks stores; empty: it does not wait. A store that hangs while it is opened
  /// or explained holds up no figures.
  std::string_view lane{};
  Access access = Access::part;
  Method method = Method::get;

  bool fits(std::string_view asked) const {
    return path == asked || (path.size() > 1 && path.ends_with('/') && asked.starts_with(path));
  }
};

const AdminRoutes::Path *AdminRoutes::find(std::string_view path, Method method) {
  static constexpr Path paths[] = {
      {"/", "What is here", &AdminRoutes::index},
      {"/health", "200 as long as the process serves", &AdminRoutes::health, {}, Access::anyone},
      {"/ready",
       "200 when every mount that must be there is, and its store can do its work; else 503",
       &AdminRoutes::ready,
       {},
       Access::anyone},
      {"/metrics", "Counters and latencies for Prometheus", &AdminRoutes::metrics, "admin", Access::machine},
      {"/stats", "Counters and latencies", &AdminRoutes::stats, "admin"},
      {"/mounts", "What is mounted where, and what drains; PUT and DELETE below it mount and unmount",
       &AdminRoutes::mounts},
      {"/drivers", "The drivers that there are", &AdminRoutes::drivers, "admin", Access::whole},
      {"/reload", "What a reload of the config would change; POST does it", &AdminRoutes::diff, "change",
       Access::whole},
      {"/reload", {}, &AdminRoutes::reload, "change", Access::change, Method::post},
      {"/mounts/", {}, &AdminRoutes::mount, "change", Access::change, Method::put},
      {"/mounts/", {}, &AdminRoutes::unmount, "change", Access::change, Method::remove},
      {"/explain", "Which stores a get of this key asks, and what each answers", &AdminRoutes::explain, "explain"},
  };
  if (method == Method::head) method = Method::get;
  for (const Path &known : paths)
    if (known.fits(path) && (method == known.method || method == Method::other)) return &known;
  return nullptr;
}

namespace {

constexpr std::string_view admin_methods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// What is behind the last '/' of a path below /mounts/, as a mountpoint. Throws Error(invalid).
std::string mountpoint_of(const Request &request) {
  Target target;
  split_target(request.target, target);
  std::string point;
  bool is_base = false;
  const std::string_view path = target.path.substr(std::string_view("/mounts").size());
  if (const char *wrong = decode_key(path, point, is_base)) throw Error(Status::invalid, wrong);
  return point;
}

/// A change ends before its request does, so that it can be answered what came of it.
ChangeOptions change_options(const Request &request) {
  ChangeOptions options;
  options.deadline = request.deadline;
  return options;
}

/// How long a request wants to wait until old stores are closed: ?wait=5s. Never longer than the request may take.
/// Throws Error(invalid) if it is malformed.
std::chrono::milliseconds wait_of(const Request &request) {
  const std::optional<std::string> text = parameter(request.query, "wait");
  std::int64_t wait = 0;
  if (text && !config::parse_duration(*text, wait))
    throw Error(Status::invalid, "wait: expected a duration such as 5s, found " + base::printable(*text));
  return std::min(std::chrono::milliseconds(wait), request.limits().timeout * 9 / 10);
}

void reply_json(const Request &request, Response &response, unsigned status, const json::value &value) {
  begin_head(response, status);
  response.out.append("Content-Type: application/json\r\nCache-Control: no-store\r\n");
  const std::string body = base::printable_json(to_text(value)) + "\n";
  end_head(request, response, body.size());
  if (request.method != Method::head) response.out.append(body);
}

} // namespace

AdminRoutes::AdminRoutes(Reloader &reloader, Guard guard, std::function<HostState()> state)
    : reloader_(reloader), storage_(reloader.storage()), guard_(std::move(guard)), state_(std::move(state)) {}

bool AdminRoutes::admit(Request &request, Response &response) {
  Target target;
  if (!admit_target(guard_, request, response, target)) return false;
  const bool foreign = !admit_origin(guard_, request, target);
  if (request.method == Method::options) {
    answer_options(guard_, request, response, admin_methods, foreign);
    return false;
  }
  request.key = target.path.empty() ? "/" : target.path;
  if (!find(request.key, Method::other)) {
    reply_error(request, response, 404, "There is no such page; / tells what is here");
    return false;
  }
  const Path *path = request.method == Method::other ? nullptr : find(request.key, request.method);
  if (!path) {
    std::string allowed;
    for (const auto &[method, name] : {std::pair(Method::get, "GET, HEAD, "), std::pair(Method::post, "POST, "),
                                       std::pair(Method::put, "PUT, "), std::pair(Method::remove, "DELETE, ")})
      if (find(request.key, method)) allowed += name;
    reply_error(request, response, 405, "This method is not allowed here", "Allow: " + allowed + "OPTIONS\r\n");
    return false;
  }
  request.query = target.query;
  const bool changes = path->method != Method::get;
  if (changes && foreign) {
    refuse_origin(guard_, request, response);
    return false;
  }
  const Guard::Verdict verdict = judge(request, path->access);
  if (verdict == Guard::Verdict::granted) return admit_conditions(request, response, changes);
  guard_.refuse(request, response, verdict);
  return false;
}

Guard::Verdict AdminRoutes::judge(const Request &request, Access access) const {
  const std::string_view token = request[Field::authorization];
  if (access == Access::anyone || (access == Access::machine && !guard_.has_tokens())) return Guard::Verdict::granted;
  const Guard::Verdict user = guard_.judge_user(request);
  if (user != Guard::Verdict::granted) return user;
  if (access == Access::whole || access == Access::change)
    return guard_.judge(token, access == Access::change, {}, true);
  return guard_.judge(token);
}

bool AdminRoutes::shows(const Request &request, const std::string &mountpoint) const {
  return guard_.judge(request[Field::authorization], false, mountpoint, true) == Guard::Verdict::granted;
}

Pool::Lane AdminRoutes::lane(const Request &request) {
  // Who waits for old stores takes no thread from changes.
  if (parameter(request.query, "wait")) return {"wait"};
  const std::string lane(find(request.key, request.method)->lane);
  // Each store has its own threads to explain keys on: it may hang in the get.
  if (const auto key = parameter(request.query, "key"); key && lane == "explain")
    return {lane, storage_.place(*key).store};
  return {lane};
}

void AdminRoutes::answer(Request &request, Response &response) noexcept {
  const std::size_t mark = response.out.size();
  try {
    (this->*find(request.key, request.method)->handler)(request, response);
  } catch (const Error &error) {
    response.out.truncate(mark);
    reply_error(request, response, http_status(error.status()), error.what());
  } catch (const std::bad_alloc &) {
    response.out.truncate(mark);
    reply_error(request, response, 503, OverBudget::message, "Retry-After: 1\r\n");
  } catch (const std::exception &error) {
    response.out.truncate(mark);
    reply_error(request, response, 500, error.what());
  }
}

void AdminRoutes::index(const Request &request, Response &response) {
  json::object paths;
  for (const std::string_view path : {"/health", "/ready", "/metrics", "/stats", "/mounts", "/drivers", "/reload"}) {
    paths[path] = find(path, Method::get)->summary;
  }
  paths["/explain?key=KEY"] = find("/explain", Method::get)->summary;
  reply_json(request, response, 200,
             json::object{{"name", "omnistore"}, {"version", OMNISTORE_VERSION}, {"paths", paths}});
}

void AdminRoutes::health(const Request &request, Response &response) {
  reply_json(request, response, 200, json::object{{"status", "ok"}});
}

void AdminRoutes::ready(const Request &request, Response &response) {
  json::array reasons;
  bool is_ready = !state_().stopping;
  if (!is_ready) reasons.emplace_back("the host is stopping");
  for (const MountInfo &mount : storage_.mounts()) {
    if (mount.available || mount.optional) continue;
    is_ready = false;
    if (!shows(request, mount.mountpoint)) continue;
    reasons.emplace_back("mount " + (mount.mountpoint.empty() ? "(root)" : mount.mountpoint) + ": " + mount.reason);
  }
  for (const StoreHealth &store : storage_.unhealthy()) {
    if (store.optional) continue;
    is_ready = false;
    if (!shows(request, store.mountpoint)) continue;
    reasons.emplace_back("mount " + (store.mountpoint.empty() ? "(root)" : store.mountpoint) + ": " + store.driver +
                         ": " + store.message);
  }
  json::object body{{"status", is_ready ? "ready" : "not ready"}};
  if (!is_ready) {
    const Guard::Verdict verdict = judge(request, Access::part);
    if (verdict == Guard::Verdict::granted) body["reasons"] = std::move(reasons);
    if (verdict == Guard::Verdict::wrong_token) guard_.slow_down(request, response);
  }
  reply_json(request, response, is_ready ? 200 : 503, body);
}

void AdminRoutes::metrics(const Request &request, Response &response) {
  const std::vector<MountStats> stats = shown(request, storage_.stats());
  const std::vector<DrainingStore> draining = shown(request, storage_.draining());
  reply(request, response, 200, "text/plain; version=0.0.4; charset=utf-8",
        shows(request, {}) ? metrics_text(stats, draining, state_()) : metrics_text(stats, draining));
}

void AdminRoutes::stats(const Request &request, Response &response) {
  json::object answer = describe(shown(request, storage_.stats()), state_());
  answer["draining"] = describe(shown(request, storage_.draining()));
  if (!shows(request, {}))
    for (const char *of_the_host : {"listeners", "threads", "memory", "reloads", "process"}) answer.erase(of_the_host);
  reply_json(request, response, 200, answer);
}

void AdminRoutes::mounts(const Request &request, Response &response) {
  json::object answer = describe(shown(request, storage_.mounts()));
  if (json::array draining = describe(shown(request, storage_.draining())); !draining.empty())
    answer["draining"] = std::move(draining);
  reply_json(request, response, 200, answer);
}

void AdminRoutes::drivers(const Request &request, Response &response) {
  reply_json(request, response, 200, describe(*storage_.plugins(), storage_.mounts()));
}

void AdminRoutes::diff(const Request &request, Response &response) {
  reply_json(request, response, 200, describe(reloader_.diff(), reloader_.config()));
}

void AdminRoutes::reload(const Request &request, Response &response) {
  const auto wait = wait_of(request);
  json::object answer = describe(reloader_.reload("asked over HTTP", change_options(request)), reloader_.config());
  if (wait.count() > 0) storage_.wait_closed(wait);
  add_draining(answer, nullptr);
  reply_json(request, response, 200, answer);
}

/// Says of a change which old stores are not closed yet: at this mountpoint, or null: anywhere.
void AdminRoutes::add_draining(json::object &answer, const std::string *point) const {
  std::vector<DrainingStore> draining = storage_.draining();
  if (point) std::erase_if(draining, [&](const DrainingStore &store) { return store.mountpoint != *point; });
  answer["draining"] = describe(draining);
}

void AdminRoutes::mount(const Request &request, Response &response) {
  const std::string point = mountpoint_of(request);
  const auto wait = wait_of(request);
  const Reloader::Mounted mounted = reloader_.mount(point, request.body, change_options(request));
  json::object answer{
      {"mountpoint", point}, {"change", mounted.replaced ? "replaced" : "added"}, {"drivers", mounted.drivers}};
  for (const MountInfo &mount : storage_.mounts())
    if (mount.mountpoint == point) answer["store"] = describe(mount.store);
  if (wait.count() > 0) storage_.wait_closed(point, wait);
  add_draining(answer, &point);
  reply_json(request, response, 200, answer);
}

void AdminRoutes::unmount(const Request &request, Response &response) {
  const std::string point = mountpoint_of(request);
  const auto wait = wait_of(request);
  if (!reloader_.unmount(point, change_options(request)))
    throw Error(Status::not_found, "nothing is mounted at " + base::printable(point));
  json::object answer{{"mountpoint", point}, {"change", "removed"}};
  if (wait.count() > 0) storage_.wait_closed(point, wait);
  add_draining(answer, &point);
  reply_json(request, response, 200, answer);
}

void AdminRoutes::explain(const Request &request, Response &response) {
  const std::optional<std::string> key = parameter(request.query, "key");
  if (!key) throw Error(Status::invalid, "Which key? /explain?key=KEY");
  const Guard::Verdict verdict = guard_.judge(request[Field::authorization], false, Key(*key).view(), false);
  if (verdict != Guard::Verdict::granted) return guard_.refuse(request, response, verdict);
  reply_json(request, response, 200, describe(storage_.explain(*key, request.limits())));
}

} // namespace omnistore::server
