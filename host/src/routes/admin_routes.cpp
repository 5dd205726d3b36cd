// SPDX-License-Identifier: Apache-2.0
#include "routes/admin_routes.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/log_trace.hpp"
#include "base/printable.hpp"
#include "config/formats.hpp"
#include "http/memory_budget.hpp"
#include "http/peer.hpp"
#include "http/reply.hpp"
#include "http/target.hpp"
#include "report/describe.hpp"
#include "report/describe_config.hpp"
#include "report/metrics_text.hpp"
#include "routes/json_reply.hpp"
#include "routes/path_key.hpp"
#include "routes/preconditions.hpp"
#include "storage/key.hpp"

namespace omnistore::routes {

namespace json = boost::json;

struct AdminRoutes::Path {
  std::string_view path, summary; ///< a path that ends in '/' stands for all below it
  Function function;
  /// The lane of the pool for functions that read files or call stores; empty if the function does not wait. A store
  /// that hangs while it is opened or explained delays no figures.
  std::string_view lane{};
  Access access = Access::part;
  Method method = Method::get;

  bool fits(std::string_view asked) const {
    return path == asked || (path.size() > 1 && path.ends_with('/') && asked.starts_with(path));
  }
};

const AdminRoutes::Path *AdminRoutes::find(std::string_view path, Method method) {
  static constexpr Path paths[] = {
      {"/", "The pages of this listener", &AdminRoutes::index},
      {"/health", "200 as long as the process serves", &AdminRoutes::health, {}, Access::anyone},
      {"/ready",
       "200 when every mount that must be there is, and its store can do its work; else 503",
       &AdminRoutes::ready,
       {},
       Access::anyone},
      {"/metrics", "Counters and latencies for Prometheus", &AdminRoutes::metrics, "admin", Access::machine},
      {"/stats", "Counters and latencies", &AdminRoutes::stats, "admin"},
      {"/mounts", "The mounts and the stores that drain; PUT and DELETE below it mount and unmount",
       &AdminRoutes::mounts},
      {"/drivers", "The drivers that there are", &AdminRoutes::drivers, "admin", Access::whole},
      {"/reload", "The changes that a reload of the config would make; POST makes them", &AdminRoutes::diff, "change",
       Access::whole},
      {"/reload", {}, &AdminRoutes::reload, "change", Access::change, Method::post},
      {"/mounts/", {}, &AdminRoutes::mount, "change", Access::change, Method::put},
      {"/mounts/", {}, &AdminRoutes::unmount, "change", Access::change, Method::remove},
      {"/history", "The last hour of each mount, a sample every ten seconds", &AdminRoutes::history},
      {"/slow", "The latest operations that took longer than the log's slow", &AdminRoutes::slow},
      {"/config", "The config that is in effect, without secrets", &AdminRoutes::config, "admin", Access::whole},
      {"/session", "What the caller may do; POST logs a browser in", &AdminRoutes::session, {}, Access::anyone},
      {"/session", {}, &AdminRoutes::log_in, "login", Access::anyone, Method::post},
      {"/session", {}, &AdminRoutes::log_out, {}, Access::anyone, Method::remove},
      {"/session/link", {}, &AdminRoutes::link, {}, Access::change, Method::post},
      {"/page/", {}, &AdminRoutes::page, {}, Access::anyone},
      {"/explain", "The stores that a get of this key calls, and the result of each", &AdminRoutes::explain, "explain"},
  };
  if (method == Method::head) method = Method::get;
  for (const Path &known : paths)
    if (known.fits(path) && (method == known.method || method == Method::other)) return &known;
  return nullptr;
}

namespace {

constexpr std::size_t longest_mount = 256 * 1024; // bytes of JSON
constexpr std::size_t parsed_size = 32;           // bytes that a byte of JSON may take when it is read
constexpr std::string_view admin_methods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/// Returns the mountpoint that a path below /mounts/ names. Throws Error(invalid).
std::string mountpoint_of(const Request &request) {
  http::Target target;
  http::split_target(request.message.target, target);
  std::string point;
  bool is_base = false;
  const std::string_view path = target.path.substr(std::string_view("/mounts").size());
  if (const char *wrong = decode_key(path, point, is_base)) throw Error(Status::invalid, wrong);
  return point;
}

/// A change ends before its request does, so that the response can report the outcome.
ChangeOptions change_options(const Request &request) {
  ChangeOptions options;
  options.deadline = request.message.deadline;
  return options;
}

/// Returns how long a request waits until old stores are closed: ?wait=5s. It is never longer than the request may
/// take. Throws Error(invalid) if it is malformed.
std::chrono::milliseconds wait_of(const Request &request) {
  const std::optional<std::string> text = http::parameter(request.query, "wait");
  std::int64_t wait = 0;
  if (text && !config::parse_duration(*text, wait))
    throw Error(Status::invalid, "wait: expected a duration such as 5s, found " + base::printable(*text));
  return std::min(std::chrono::milliseconds(wait), request.limits().timeout * 9 / 10);
}

} // namespace

AdminRoutes::AdminRoutes(HostControl &host, Storage &storage, Guard guard, std::function<report::HostState()> state,
                         Page page)
    : host_(host), storage_(storage), guard_(std::move(guard)), state_(std::move(state)), page_(std::move(page)) {}

/// Returns the path of the table that serves the request, or null if `response` holds a refusal.
const AdminRoutes::Path *AdminRoutes::admit(Request &request, Response &response) const {
  http::Target target;
  if (!admit_target(guard_, request.message, response, target)) return nullptr;
  const bool foreign = !admit_origin(guard_, request.message, target);
  const Method method = request.message.method;
  if (method == Method::options) {
    respond_to_options(guard_, request, response, admin_methods, foreign);
    return nullptr;
  }
  std::string_view path = target.path.empty() ? "/" : target.path;
  if (wants_page(request, path)) path = "/page/index.html";
  if (!find(path, Method::other)) {
    reply_error(request, response, 404, "There is no such page; / lists the pages");
    return nullptr;
  }
  const Path *found = method == Method::other ? nullptr : find(path, method);
  if (!found) {
    std::string allowed;
    for (const auto &[known, name] : {std::pair(Method::get, "GET, HEAD, "), std::pair(Method::post, "POST, "),
                                      std::pair(Method::put, "PUT, "), std::pair(Method::remove, "DELETE, ")})
      if (find(path, known)) allowed += name;
    reply_error(request, response, 405, "This method is not allowed here", "Allow: " + allowed + "OPTIONS\r\n");
    return nullptr;
  }
  request.query = target.query;
  if (found->function == &AdminRoutes::page) {
    request.page = path.substr(found->path.size());
    return found;
  }
  use_session(request, target.authority);
  request.token = guard_.find(request.message);
  if (request.token) request.message.identity = request.token->name;
  const bool changes = found->method != Method::get;
  const bool changes_cookie = changes && path == "/session";
  if (changes &&
      (foreign || lacks_origin(request) || (changes_cookie && !lets_use_cookie(request, target.authority)))) {
    refuse_origin(guard_, request, response);
    return nullptr;
  }
  if (page_.audit && request.message.peer) request.message.peer->name(); // the thread that serves it needs it
  const Guard::Verdict verdict = judge(request, found->access);
  if (verdict == Guard::Verdict::granted) return admit_conditions(request, response, changes) ? found : nullptr;
  guard_.refuse(request, response, verdict);
  return nullptr;
}

class AdminRoutes::Handler final : public http::Handler {
public:
  Handler(AdminRoutes &routes, http::Request &request) : routes_(routes), request_(request) {}

  bool admit(Response &response) override {
    if (routes_.guard_.needs_check(request_.message) || routes_.page_.keys_guard.needs_check(request_.message))
      return false;
    constexpr std::string_view data = "/data";
    serves_keys_ = request_.message.target.starts_with("/data/");
    if (serves_keys_) {
      if (!routes_.admit_keys(request_, response)) return false;
      request_.message.target.remove_prefix(data.size());
      if (!keys_) keys_ = routes_.page_.keys.handler(request_.message);
      return keys_->admit(response);
    }
    path_ = routes_.admit(request_, response);
    return path_ != nullptr;
  }

  bool check(std::function<void()> done) override {
    const Guard &guard = routes_.guard_.needs_check(request_.message) ? routes_.guard_ : routes_.page_.keys_guard;
    return guard.check(request_.message, std::move(done));
  }

  std::uint64_t longest_stream() override { return serves_keys_ ? keys_->longest_stream() : 0; }

  http::WorkerPool::Lane lane() override {
    if (serves_keys_) return keys_->lane();
    // A request that waits for old stores takes no thread from changes.
    if (http::parameter(request_.query, "wait")) return {"wait"};
    const std::string lane(path_->lane);
    // Each store has its own threads to explain keys on, since it may hang in the get.
    if (const auto key = http::parameter(request_.query, "key"); key && lane == "explain")
      return {lane, routes_.storage_.route(*key).store};
    return {lane};
  }

  void respond(Response &response) noexcept override {
    if (serves_keys_) return keys_->respond(response);
    const base::LogTrace traced(request_.trace());
    const Path &path = *path_;
    respond_to(path, response);
    // A login changes nothing of the host.
    if (routes_.page_.audit && path.access == Access::change && path.method != Method::get)
      routes_.page_.audit->write(request_, request_.message.method_text, request_.message.target, response.status);
  }

private:
  void respond_to(const Path &path, Response &response) noexcept {
    const std::size_t mark = response.out.size();
    const auto fail = [&](unsigned status, std::string_view message, std::string_view extra = {}) {
      response.out.truncate(mark);
      reply_error(request_, response, status, message, extra);
    };
    try {
      (routes_.*path.function)(request_, response);
    } catch (const ConfigError &error) {
      response.out.truncate(mark);
      const unsigned status = http::http_status(error.status());
      reply_json(request_, response, status,
                 json::object{{"status", status},
                              {"statusText", http::reason(status)},
                              {"message", error.what()},
                              {"problems", report::describe(error.problems())}});
    } catch (const Error &error) {
      fail(http::http_status(error.status()), error.what());
    } catch (const std::bad_alloc &) {
      fail(503, http::OverBudget::message, "Retry-After: 1\r\n");
    } catch (const std::exception &error) {
      fail(500, error.what());
    }
  }

  AdminRoutes &routes_;
  Request request_;
  const Path *path_ = nullptr;
  bool serves_keys_ = false; ///< the request is for /data/
  std::unique_ptr<http::Handler> keys_;
};

std::unique_ptr<http::Handler> AdminRoutes::handler(http::Request &request) {
  return std::make_unique<Handler>(*this, request);
}

Guard::Verdict AdminRoutes::judge(const Request &request, Access access) const {
  if (access == Access::anyone || (access == Access::machine && !guard_.has_tokens())) return Guard::Verdict::granted;
  const Guard::Verdict user = request.logged_in ? Guard::Verdict::granted : guard_.judge_user(request);
  if (user != Guard::Verdict::granted) return user;
  if (access == Access::whole || access == Access::change)
    return guard_.judge(request.message, access == Access::change, {}, true);
  return guard_.judge(request.message);
}

bool AdminRoutes::shows(const Request &request, const std::string &mountpoint) const {
  return guard_.judge(request.message, false, mountpoint, true) == Guard::Verdict::granted;
}

void AdminRoutes::index(const Request &request, Response &response) {
  json::object paths;
  for (const std::string_view path : {"/health", "/ready", "/metrics", "/stats", "/mounts", "/drivers", "/reload",
                                      "/history", "/slow", "/config", "/session"}) {
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
        shows(request, {}) ? report::metrics_text(stats, draining, state_()) : report::metrics_text(stats, draining));
}

void AdminRoutes::stats(const Request &request, Response &response) {
  json::object body = report::describe(shown(request, storage_.stats()), state_());
  body["draining"] = report::describe(shown(request, storage_.draining()));
  if (!shows(request, {}))
    for (const char *of_the_host : {"listeners", "threads", "memory", "reloads", "process"}) body.erase(of_the_host);
  reply_json(request, response, 200, body);
}

void AdminRoutes::mounts(const Request &request, Response &response) {
  json::object body = report::describe(shown(request, storage_.mounts()));
  if (json::array draining = report::describe(shown(request, storage_.draining())); !draining.empty())
    body["draining"] = std::move(draining);
  reply_json(request, response, 200, body);
}

void AdminRoutes::drivers(const Request &request, Response &response) {
  reply_json(request, response, 200, report::describe(*storage_.plugins(), storage_.mounts()));
}

void AdminRoutes::diff(const Request &request, Response &response) {
  reply_json(request, response, 200, report::describe(host_.diff(), host_.config()));
}

void AdminRoutes::reload(const Request &request, Response &response) {
  const auto wait = wait_of(request);
  json::object body = report::describe(host_.reload("requested over HTTP", change_options(request)), host_.config());
  if (wait.count() > 0) storage_.wait_closed(wait);
  add_draining(body, nullptr);
  reply_json(request, response, 200, body);
}

/// Adds the old stores that are not closed yet: those at this mountpoint, or all of them if `point` is null.
void AdminRoutes::add_draining(json::object &body, const std::string *point) const {
  std::vector<DrainingStore> draining = storage_.draining();
  if (point) std::erase_if(draining, [&](const DrainingStore &store) { return store.mountpoint != *point; });
  body["draining"] = report::describe(draining);
}

void AdminRoutes::mount(const Request &request, Response &response) {
  const std::string point = mountpoint_of(request);
  const auto wait = wait_of(request);
  const std::string_view body = request.message.body;
  if (body.size() > longest_mount)
    throw Error(Status::too_large, "a mount may be described by at most " + std::to_string(longest_mount) + " bytes");
  const http::MemoryShare parsed(response.out.budget(), body.size() * parsed_size);
  const HostControl::Mounted mounted = host_.mount(point, body, change_options(request));
  json::object result{
      {"mountpoint", point}, {"change", mounted.replaced ? "replaced" : "added"}, {"drivers", mounted.drivers}};
  for (const MountInfo &mount : storage_.mounts())
    if (mount.mountpoint == point) result["store"] = report::describe(mount.store);
  if (wait.count() > 0) storage_.wait_closed(point, wait);
  add_draining(result, &point);
  reply_json(request, response, 200, result);
}

void AdminRoutes::unmount(const Request &request, Response &response) {
  const std::string point = mountpoint_of(request);
  const auto wait = wait_of(request);
  if (!host_.unmount(point, change_options(request)))
    throw Error(Status::not_found, "nothing is mounted at " + base::printable(point));
  json::object body{{"mountpoint", point}, {"change", "removed"}};
  if (wait.count() > 0) storage_.wait_closed(point, wait);
  add_draining(body, &point);
  reply_json(request, response, 200, body);
}

void AdminRoutes::explain(const Request &request, Response &response) {
  const std::optional<std::string> key = http::parameter(request.query, "key");
  if (!key) throw Error(Status::invalid, "Which key? /explain?key=KEY");
  const Guard::Verdict verdict = guard_.judge(request.message, false, Key(*key).view(), false);
  if (verdict != Guard::Verdict::granted) return guard_.refuse(request, response, verdict);
  reply_json(request, response, 200, report::describe(storage_.explain(*key, request.limits())));
}

} // namespace omnistore::routes
