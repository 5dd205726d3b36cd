// SPDX-License-Identifier: Apache-2.0
#include "report/describe_config.hpp"

#include <string>

#include <boost/json/parse.hpp>

#include "config/schema.hpp"
#include "config/secrets.hpp"
#include "config/source_map.hpp"

namespace omnistore::report {

namespace json = boost::json;

namespace {

/// Replaces every value below `path` that contains the text of a file by the text that the config has for it, such as
/// "${file:/run/secrets/x}". The form of the value does not matter: a ttl may have become a number.
void hide_files(json::value &value, const std::string &path, const SourceMap *places) {
  const std::string *written = places ? places->written(path) : nullptr;
  if (written && config::contains_file(*written)) {
    if (value != json::value("***")) value = *written;
  } else if (json::object *object = value.if_object()) {
    for (auto &&[name, member] : *object) hide_files(member, config::join(path, name), places);
  } else if (json::array *array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) hide_files((*array)[i], config::join(path, i), places);
  }
}

/// The options of a store as far as they may be shown.
json::value options_json(const StoreConfig &store, loader::Registry &registry) {
  try {
    if (const auto driver = registry.find(store.driver))
      return config::masked(driver->schema, json::parse(store.options));
  } catch (const std::exception &) { // the driver is missing or damaged: nobody knows which options are secret
  }
  return "***";
}

json::object config_of_store(const StoreConfig &store, loader::Registry &registry) {
  json::object object{{"driver", store.driver}};
  if (json::value options = options_json(store, registry); !options.is_object() || !options.as_object().empty())
    object["options"] = std::move(options);
  for (auto &&[name, member] : object)
    hide_files(member, config::join(store.path, name == "options" && store.short_form ? "invalidation" : name),
               store.places.get());
  if (store.children.empty()) return object;
  json::array layers;
  for (const StoreConfig &child : store.children) layers.push_back(config_of_store(child, registry));
  object["layers"] = std::move(layers);
  return object;
}

json::object config_of_mount(const std::string &point, const MountConfig &mount, loader::Registry &registry) {
  json::object object = config_of_store(mount.store, registry);
  json::object own;
  if (mount.prefix) own["prefix"] = *mount.prefix;
  if (mount.ttl) own["ttl"] = *mount.ttl;
  if (mount.read_only) own["readOnly"] = true;
  if (mount.optional) own["optional"] = true;
  const std::string path = config::join("mounts", point);
  for (auto &&[name, member] : own) {
    hide_files(member, config::join(path, name), mount.store.places.get());
    object[name] = std::move(member);
  }
  return object;
}

json::object config_of_listener(const HttpConfig &listener) {
  json::object object{{"listen", listener.listen}};
  if (listener.tls.enabled())
    object["tls"] = {{"certificate", listener.tls.certificate},
                     {"clientCa", listener.tls.client_ca},
                     {"requireClient", listener.tls.require_client}};
  if (!listener.token_file.empty()) object["tokenFile"] = listener.token_file;
  const json::object others{{"tokens", listener.tokens.size()},
                            {"maxConnections", listener.max_connections},
                            {"maxBody", listener.max_body},
                            {"requestTimeout", listener.request_timeout},
                            {"hosts", json::array(listener.hosts.begin(), listener.hosts.end())},
                            {"origins", json::array(listener.origins.begin(), listener.origins.end())}};
  for (const auto &[name, value] : others) object[name] = value;
  return object;
}

} // namespace

json::object describe(const Config &config, loader::Registry &registry) {
  json::object mounts, places, pins;
  for (const auto &[point, mount] : config.mounts) {
    mounts[point] = config_of_mount(point, mount, registry);
    if (!mount.store.places) continue;
    const SourceMap::Position place = mount.store.places->name(mount.store.path);
    if (place.line != 0) places[point] = {{"line", place.line}, {"column", place.column}};
  }
  for (const auto &[plugin, pin] : config.pins) pins[plugin] = pin;
  json::object plugins{{"paths", json::array(config.plugin_paths.begin(), config.plugin_paths.end())}};
  if (!pins.empty()) plugins["pin"] = std::move(pins);
  if (!config.plugin_lock.empty()) plugins["lock"] = config.plugin_lock;
  json::object shown{{"plugins", std::move(plugins)},
                     {"prefix", config.prefix},
                     {"ttl", config.ttl},
                     {"mounts", nullptr}, // set below: each mount hides its own files
                     {"server", {{"http", config_of_listener(config.http)}, {"maxMemory", config.max_memory}}},
                     {"admin", config_of_listener(config.admin)},
                     {"log",
                      {{"level", config.log.level},
                       {"json", config.log.json},
                       {"slow", config.log.slow},
                       {"access", config.log.access},
                       {"audit", config.log.audit}}},
                     {"openTimeout", config.open_timeout},
                     {"stopTimeout", config.stop_timeout}};
  for (auto &&[name, member] : shown) hide_files(member, std::string(name), config.places.get());
  shown["mounts"] = std::move(mounts);
  return {
      {"file", config.file}, {"profile", config.profile}, {"config", std::move(shown)}, {"places", std::move(places)}};
}

json::array describe(const std::vector<Problem> &problems) {
  json::array all;
  for (const Problem &problem : problems)
    all.push_back(json::object{
        {"path", problem.path}, {"message", problem.message}, {"line", problem.line}, {"column", problem.column}});
  return all;
}

} // namespace omnistore::report
