// SPDX-License-Identifier: Apache-2.0
// Turns a text into a Config: parses it, merges the chosen profile, replaces variables, checks, and reads the fields.
#include <omnistore/config.hpp>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/json/serialize.hpp>

#include "config_schema.hpp"
#include "draft.hpp"
#include "interpolate.hpp"
#include "profile.hpp"
#include "schema.hpp"
#include "secrets.hpp"
#include "text.hpp"

namespace omnistore {

namespace json = boost::json;
using namespace config;

namespace {

std::string as_text(const json::value &value) {
  const json::string &text = value.get_string();
  return {text.data(), text.size()};
}

std::vector<std::string> as_texts(const json::array &values) {
  std::vector<std::string> out;
  for (const json::value &item : values)
    if (item.is_string()) out.push_back(as_text(item));
  return out;
}

// ------------------------------------------------------------------------- from checked JSON to a Config

/// Reads the fields of a checked object. If a field is absent, or has a wrong type that is reported already, its target
/// stays unchanged.
class Fields {
public:
  explicit Fields(const json::value &from) : from_(from.if_object()) {}

  const json::value *find(std::string_view name) const {
    return from_ ? from_->if_contains({name.data(), name.size()}) : nullptr;
  }
  const json::object &object(std::string_view name) const {
    static const json::object none;
    const json::value *value = find(name);
    return value && value->is_object() ? value->get_object() : none;
  }
  const json::array &array(std::string_view name) const {
    static const json::array none;
    const json::value *value = find(name);
    return value && value->is_array() ? value->get_array() : none;
  }
  Fields at(std::string_view name) const {
    static const json::value none;
    const json::value *value = find(name);
    return Fields(value ? *value : none);
  }

  void read(std::string_view name, std::string &into) const {
    if (const json::value *value = find(name); value && value->is_string()) into = as_text(*value);
  }
  void read(std::string_view name, bool &into) const {
    if (const json::value *value = find(name); value && value->is_bool()) into = value->get_bool();
  }
  template <std::integral T>
  void read(std::string_view name, T &into) const {
    if (const json::value *value = find(name); value && value->is_int64()) into = static_cast<T>(value->get_int64());
  }
  template <class T>
  void read(std::string_view name, std::optional<T> &into) const {
    if (!find(name)) return;
    T value{};
    read(name, value);
    into = std::move(value);
  }

private:
  const json::object *from_;
};

/// The properties that all stores of one config share.
struct Origin {
  std::shared_ptr<const SourceMap> places;
  std::string folder;
};

StoreConfig to_store(const json::value &value, const std::string &path, const Origin &origin) {
  const Fields from(value);
  StoreConfig store;
  from.read("driver", store.driver);
  store.options = json::serialize(from.object("options"));
  store.path = path;
  store.places = origin.places;
  store.folder = origin.folder;
  for (const json::value &layer : from.array("layers"))
    store.children.push_back(to_store(layer, join(join(path, "layers"), store.children.size()), origin));
  const json::array &around = from.array("through");
  for (std::size_t i = around.size(); i-- > 0;) { // the innermost first, each around the store so far
    StoreConfig outer = to_store(around[i], join(join(path, "through"), i), origin);
    outer.children.push_back(std::move(store));
    store = std::move(outer);
  }
  const json::value *invalidation = from.find("invalidation"), *source = from.find("origin");
  if (!invalidation && !source) return store;
  StoreConfig cache{
      .driver = "cache", .path = path, .places = origin.places, .folder = origin.folder, .short_form = true};
  cache.options = json::serialize(from.object("invalidation"));
  cache.children.push_back(std::move(store));
  if (source) cache.children.push_back(to_store(*source, join(path, "origin"), origin));
  return cache;
}

MountConfig to_mount(const json::value &value, const std::string &path, const Origin &origin) {
  const Fields from(value);
  MountConfig mount;
  mount.store = to_store(value, path, origin);
  from.read("prefix", mount.prefix);
  from.read("ttl", mount.ttl);
  from.read("readOnly", mount.read_only);
  from.read("optional", mount.optional);
  return mount;
}

void to_http(const Fields &from, HttpConfig &http) {
  from.read("listen", http.listen);
  std::string mode = "0600";
  from.read("socketMode", mode);
  http.socket_mode = static_cast<unsigned>(std::strtoul(mode.c_str(), nullptr, 8));
  const Fields tls = from.at("tls");
  tls.read("certificate", http.tls.certificate);
  tls.read("key", http.tls.key);
  tls.read("clientCa", http.tls.client_ca);
  tls.read("requireClient", http.tls.require_client);
  from.read("threads", http.threads);
  from.read("maxHeader", http.max_header);
  from.read("maxBody", http.max_body);
  from.read("maxConnections", http.max_connections);
  from.read("maxStream", http.max_stream);
  from.read("maxWatches", http.max_watches);
  from.read("watchKeepAlive", http.watch_keep_alive);
  from.read("idleTimeout", http.idle_timeout);
  from.read("requestTimeout", http.request_timeout);
  from.read("anyUser", http.any_user);
  from.read("tokenFile", http.token_file);
  for (const auto &[name, limits] : {std::pair("address", &http.per_address), std::pair("token", &http.per_token)}) {
    const Fields given = from.at("limits").at(name);
    given.read("requests", limits->requests);
    given.read("bytes", limits->bytes);
    given.read("connections", limits->connections);
  }
  http.hosts = as_texts(from.array("hosts"));
  http.origins = as_texts(from.array("origins"));
  for (const json::value &each : from.array("tokens")) {
    const Fields fields(each);
    HttpConfig::Token token;
    fields.read("value", token.value);
    fields.read("certificate", token.certificate);
    fields.read("write", token.write);
    token.bases = as_texts(fields.array("bases"));
    http.tokens.push_back(std::move(token));
  }
}

Config to_config(const json::value &value, const Origin &origin) {
  const Fields from(value);
  Config out;
  out.plugin_paths = as_texts(from.at("plugins").array("paths"));
  for (const auto &[name, pin] : from.at("plugins").object("pin"))
    if (pin.is_string()) out.pins.emplace(std::string(name.data(), name.size()), as_text(pin));
  from.at("plugins").read("lock", out.plugin_lock);
  from.read("prefix", out.prefix);
  from.read("ttl", out.ttl);
  for (const auto &[key, mount] : from.object("mounts")) {
    std::string name(key.data(), key.size());
    out.mounts.emplace(name, to_mount(mount, join("mounts", name), origin));
  }
  from.at("server").read("maxMemory", out.max_memory);
  to_http(from.at("server").at("http"), out.http);
  to_http(from.at("admin"), out.admin);
  const Fields log = from.at("log");
  log.read("level", out.log.level);
  log.read("json", out.log.json);
  log.read("slow", out.log.slow);
  log.read("access", out.log.access);
  std::string format;
  log.read("accessFormat", format);
  out.log.access_json = format == "json";
  log.read("audit", out.log.audit);
  from.read("openTimeout", out.open_timeout);
  from.read("stopTimeout", out.stop_timeout);
  out.places = origin.places;
  return out;
}

/// A token has a value, or the name in a certificate.
void check_tokens(const Fields &listener, const std::string &path, Draft &draft) {
  const json::array &tokens = listener.array("tokens");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Fields token(tokens[i]);
    const bool has_value = token.find("value"), has_certificate = token.find("certificate");
    if (!tokens[i].is_object() || has_value != has_certificate) continue;
    draft.add({join(join(path, "tokens"), i), has_value ? "expected one of \"value\" and \"certificate\", found both"
                                                        : "expected \"value\" or \"certificate\""});
  }
}

// ------------------------------------------------------------------------------------------ the file

std::string read_file(const std::string &file) {
  auto fail = [&](int error) {
    Status status = error == ENOENT || error == ENOTDIR ? Status::not_found
                    : error == EACCES || error == EPERM ? Status::denied
                                                        : Status::io;
    throw Error(status, "config " + file + ": " + std::strerror(error));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) fail(EISDIR);
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) fail(errno ? errno : EIO);
  std::string text;
  char piece[16 * 1024];
  do {
    in.read(piece, sizeof piece);
    text.append(piece, static_cast<std::size_t>(in.gcount()));
  } while (in && text.size() <= max_text); // one piece beyond the limit is enough
  if (in.bad()) fail(errno ? errno : EIO);
  return text;
}

/// Sorts problems in the order of the text, and keeps only the first of each position, since others follow from it.
std::vector<Problem> in_order(const std::vector<Problem> &problems) {
  std::vector<Problem> out;
  for (const auto &problem : problems)
    if (problem.path.empty() ||
        std::none_of(out.begin(), out.end(), [&](const Problem &other) { return other.path == problem.path; }))
      out.push_back(problem);
  auto place = [](const Problem &problem) {
    return std::pair(problem.line ? problem.line : UINT32_MAX, problem.column);
  };
  std::stable_sort(out.begin(), out.end(), [&](const Problem &a, const Problem &b) { return place(a) < place(b); });
  return out;
}

std::optional<std::string> variable(const std::string &name) {
  const char *value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

} // namespace

void Draft::add(Problem problem) {
  if (problem.line == 0 && config.places) {
    const SourceMap::Position place = config.places->find(problem.path);
    problem.line = place.line;
    problem.column = place.column;
  }
  problems.push_back(std::move(problem));
}

bool has_problem(const std::vector<Problem> &problems, const std::string &path, bool parts) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem &problem) {
    return problem.path == path || (parts && problem.path.starts_with(path + "."));
  });
}

Config Draft::finish() && {
  if (!problems.empty()) {
    std::vector<Problem> shown = in_order(problems);
    for (Problem &problem : shown) {
      problem.path = without_secrets(std::move(problem.path), secrets);
      problem.message = without_secrets(std::move(problem.message), secrets);
    }
    throw ConfigError(config.file, std::move(shown));
  }
  return std::move(config);
}

Draft parse_draft(std::string_view text, const std::string &file, std::string_view profile,
                  const Config::Environment &environment) {
  std::string chosen(profile);
  if (chosen.empty() && environment) chosen = environment("OMNISTORE_PROFILE").value_or("");
  Draft draft;
  draft.config.file = file;
  std::optional<TextNode> root = read(text, draft.problems);
  if (!root) return draft;
  add_tokens(*root, draft.secrets);
  apply_profile(*root, chosen, draft.problems);
  const std::string folder = folder_of_config(file);
  Sources sources{environment, folder};
  interpolate(*root, {}, sources, draft.problems);
  add_tokens(*root, draft.secrets);
  for (const auto &[path, content] : sources.files) {
    draft.secrets.push_back(content);
    keep_secret(content);
  }
  draft.files = std::move(sources.files);

  auto places = std::make_shared<SourceMap>();
  json::value value = to_json(*root, {}, *places);
  validate(config_schema(), value, {}, places.get(), draft.problems, folder);

  draft.config = to_config(value, {places, folder});
  draft.config.file = file;
  draft.config.profile = chosen;
  check_tokens(Fields(value).at("server").at("http"), "server.http", draft);
  check_tokens(Fields(value).at("admin"), "admin", draft);
  return draft;
}

Draft load_draft(const std::string &file, std::string_view profile) {
  return parse_draft(read_file(file), file, profile, variable);
}

std::string folder_of_config(const std::string &file) {
  std::error_code failed;
  const bool has_folder =
      !file.empty() && (std::filesystem::is_regular_file(file, failed) || !std::filesystem::exists(file, failed));
  const std::filesystem::path folder =
      has_folder ? std::filesystem::absolute(file, failed).parent_path() : std::filesystem::current_path(failed);
  return folder.lexically_normal().string();
}

Config Config::parse(std::string_view text, const std::string &file, std::string_view profile,
                     const Environment &environment) {
  return parse_draft(text, file, profile, environment).finish();
}

Config Config::load(const std::string &file, std::string_view profile) { return load_draft(file, profile).finish(); }

} // namespace omnistore
