// SPDX-License-Identifier: Apache-2.0
// From a text to a Config: read, choose the profile and merge it, put variables in, check, and take the fields over.
#include <omnistore/config.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/json/serialize.hpp>

#include "config_schema.hpp"
#include "interpolate.hpp"
#include "profile.hpp"
#include "schema.hpp"
#include "text.hpp"

namespace omnistore {

namespace json = boost::json;
using namespace config;

namespace {

std::string as_text(const json::value &value) {
  const json::string &text = value.as_string();
  return {text.data(), text.size()};
}

std::vector<std::string> as_texts(const json::value &value) {
  std::vector<std::string> out;
  for (const json::value &item : value.as_array()) out.push_back(as_text(item));
  return out;
}

// ------------------------------------------------------------------------- from checked JSON to a Config

StoreConfig to_store(const json::object &from, const std::string &path, const std::shared_ptr<const Places> &places) {
  StoreConfig store;
  store.driver = as_text(from.at("driver"));
  store.options = json::serialize(from.at("options"));
  store.path = path;
  store.places = places;
  const json::array none;
  const json::value *layers = from.if_contains("layers"), *through = from.if_contains("through");
  for (const json::value &layer : layers ? layers->as_array() : none)
    store.children.push_back(to_store(layer.as_object(), join(join(path, "layers"), store.children.size()), places));
  const json::array &around = through ? through->as_array() : none;
  for (std::size_t i = around.size(); i-- > 0;) { // the innermost first, each around what there is
    StoreConfig outer = to_store(around[i].as_object(), join(join(path, "through"), i), places);
    outer.children.push_back(std::move(store));
    store = std::move(outer);
  }
  const json::value *invalidation = from.if_contains("invalidation"), *origin = from.if_contains("origin");
  if (!invalidation && !origin) return store;
  StoreConfig cache{.driver = "cache", .path = path, .places = places, .short_form = true};
  if (invalidation) cache.options = json::serialize(*invalidation);
  cache.children.push_back(std::move(store));
  if (origin) cache.children.push_back(to_store(origin->as_object(), join(path, "origin"), places));
  return cache;
}

MountConfig to_mount(const json::object &from, const std::string &path, const std::shared_ptr<const Places> &places) {
  MountConfig mount;
  mount.store = to_store(from, path, places);
  if (const json::value *prefix = from.if_contains("prefix")) mount.prefix = as_text(*prefix);
  if (const json::value *ttl = from.if_contains("ttl")) mount.ttl = ttl->as_int64();
  mount.read_only = from.at("readOnly").as_bool();
  mount.optional = from.at("optional").as_bool();
  return mount;
}

HttpConfig to_http(const json::object &from) {
  HttpConfig http;
  http.listen = as_text(from.at("listen"));
  http.threads = static_cast<unsigned>(from.at("threads").as_int64());
  http.max_header = static_cast<std::uint64_t>(from.at("maxHeader").as_int64());
  http.max_body = static_cast<std::uint64_t>(from.at("maxBody").as_int64());
  http.max_connections = static_cast<unsigned>(from.at("maxConnections").as_int64());
  if (const json::value *most = from.if_contains("maxStream"))
    http.max_stream = static_cast<std::uint64_t>(most->as_int64());
  if (const json::value *most = from.if_contains("maxWatches"))
    http.max_watches = static_cast<unsigned>(most->as_int64());
  if (const json::value *pause = from.if_contains("watchKeepAlive")) http.watch_keep_alive = pause->as_int64();
  http.idle_timeout = from.at("idleTimeout").as_int64();
  http.request_timeout = from.at("requestTimeout").as_int64();
  http.hosts = as_texts(from.at("hosts"));
  http.origins = as_texts(from.at("origins"));
  for (const json::value &token : from.at("tokens").as_array())
    http.tokens.push_back({as_text(token.at("value")), token.at("write").as_bool(), as_texts(token.at("bases"))});
  return http;
}

LogConfig to_log(const json::object &from) {
  return {as_text(from.at("level")), from.at("json").as_bool(), from.at("slow").as_int64()};
}

Config to_config(const json::value &from, const std::shared_ptr<const Places> &places) {
  Config out;
  out.plugin_paths = as_texts(from.at("plugins").at("paths"));
  for (const auto &[name, pin] : from.at("plugins").at("pin").as_object())
    out.pins.emplace(std::string(name.data(), name.size()), as_text(pin));
  out.prefix = as_text(from.at("prefix"));
  out.ttl = from.at("ttl").as_int64();
  for (const auto &[key, mount] : from.at("mounts").as_object()) {
    std::string name(key.data(), key.size());
    out.mounts.emplace(name, to_mount(mount.as_object(), join("mounts", name), places));
  }
  out.http = to_http(from.at("server").at("http").as_object());
  out.admin = to_http(from.at("admin").as_object());
  out.log = to_log(from.at("log").as_object());
  return out;
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
  } while (in && text.size() <= max_text); // one piece too many is enough to be refused
  if (in.bad()) fail(errno ? errno : EIO);
  return text;
}

std::vector<std::string> absolute_from(const std::string &file, const std::vector<std::string> &paths) {
  std::vector<std::string> out;
  std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  for (const auto &path : paths) out.push_back((folder / path).lexically_normal().string());
  return out;
}

/// In the text's order; of a place that is wrong already only the first problem, since others follow from it.
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

} // namespace

Config Config::parse(std::string_view text, const std::string &file, std::string_view profile,
                     const Environment &environment) {
  std::string chosen(profile);
  if (chosen.empty() && environment) chosen = environment("OMNISTORE_PROFILE").value_or("");
  std::vector<Problem> problems;
  std::optional<Node> root = read(text, problems);
  if (!root) throw ConfigError(file, std::move(problems));
  apply_profile(*root, chosen, problems);
  interpolate(*root, {}, environment, problems);

  auto places = std::make_shared<Places>();
  json::value value = to_json(*root, {}, *places);
  validate(config_schema(), value, {}, places.get(), problems);
  if (!problems.empty()) throw ConfigError(file, in_order(problems));

  Config out = to_config(value, places);
  if (!file.empty()) out.plugin_paths = absolute_from(file, out.plugin_paths);
  out.file = file;
  out.profile = chosen;
  return out;
}

Config Config::load(const std::string &file, std::string_view profile) {
  return parse(read_file(file), file, profile, [](const std::string &name) -> std::optional<std::string> {
    const char *value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
}

} // namespace omnistore
