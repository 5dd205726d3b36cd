// SPDX-License-Identifier: Apache-2.0
#include "report/describe_config.hpp"

#include <string>

#include <boost/json/parse.hpp>

#include "config/schema.hpp"
#include "config/source_map.hpp"

namespace omnistore::report {

namespace json = boost::json;

namespace {

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
  if (store.children.empty()) return object;
  json::array layers;
  for (const StoreConfig &child : store.children) layers.push_back(config_of_store(child, registry));
  object["layers"] = std::move(layers);
  return object;
}

json::object config_of_mount(const MountConfig &mount, loader::Registry &registry) {
  json::object object = config_of_store(mount.store, registry);
  if (mount.prefix) object["prefix"] = *mount.prefix;
  if (mount.ttl) object["ttl"] = *mount.ttl;
  if (mount.read_only) object["readOnly"] = true;
  if (mount.optional) object["optional"] = true;
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
    mounts[point] = config_of_mount(mount, registry);
    if (!mount.store.places) continue;
    const SourceMap::Position place = mount.store.places->name(mount.store.path);
    if (place.line != 0) places[point] = {{"line", place.line}, {"column", place.column}};
  }
  for (const auto &[plugin, pin] : config.pins) pins[plugin] = pin;
  json::object plugins{{"paths", json::array(config.plugin_paths.begin(), config.plugin_paths.end())}};
  if (!pins.empty()) plugins["pin"] = std::move(pins);
  if (!config.plugin_lock.empty()) plugins["lock"] = config.plugin_lock;
  return {{"file", config.file},
          {"profile", config.profile},
          {"config",
           {{"plugins", std::move(plugins)},
            {"prefix", config.prefix},
            {"ttl", config.ttl},
            {"mounts", std::move(mounts)},
            {"server", {{"http", config_of_listener(config.http)}, {"maxMemory", config.max_memory}}},
            {"admin", config_of_listener(config.admin)},
            {"log",
             {{"level", config.log.level},
              {"json", config.log.json},
              {"slow", config.log.slow},
              {"access", config.log.access},
              {"audit", config.log.audit}}},
            {"openTimeout", config.open_timeout},
            {"stopTimeout", config.stop_timeout}}},
          {"places", std::move(places)}};
}

json::array describe(const std::vector<Problem> &problems) {
  json::array all;
  for (const Problem &problem : problems)
    all.push_back(json::object{
        {"path", problem.path}, {"message", problem.message}, {"line", problem.line}, {"column", problem.column}});
  return all;
}

} // namespace omnistore::report
