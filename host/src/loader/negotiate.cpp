// SPDX-License-Identifier: Apache-2.0
#include "negotiate.hpp"

#include <algorithm>
#include <cstring>

#include "config/schema.hpp"
#include "search.hpp"

namespace omnistore::loader {
namespace {

constexpr std::uint32_t most_drivers = 1024;
constexpr std::size_t longest_name = 64;

/// A driver with copies of its strings, so that none of them lies in the plugin.
struct OwnedDriver : Driver {
  std::string options_schema;
};

/// Copies a sized struct of the plugin to the host's size. Fields that the plugin does not know are zero.
template <class Sized>
Sized sized_copy(const Sized &from) {
  Sized into{};
  std::memcpy(&into, &from, std::min<std::size_t>(from.size, sizeof(Sized)));
  into.size = sizeof(Sized);
  return into;
}

std::string text_or_empty(const char *text) { return text ? text : ""; }

/// Returns the driver's name for a message, or else its index in the plugin.
std::string read_name(const omnistore_driver &table, std::uint32_t index) {
  const std::string which = "its driver number " + std::to_string(index + 1);
  const std::string advice = "a name matches [a-z][a-z0-9-]* and has at most 64 bytes";
  if (!table.name) throw PluginError(which + " has no name", advice);
  const std::string name(table.name, ::strnlen(table.name, longest_name + 1));
  if (is_driver_name(name)) return name;
  std::string shown = name;
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  throw PluginError(which + " has a bad name '" + shown + "'", advice);
}

void check_functions(const omnistore_driver &table, const std::string &which) {
  const std::pair<const char *, bool> required[] = {
      {"open", table.open}, {"close", table.close},   {"get", table.get},  {"stat", table.stat},
      {"set", table.set},   {"remove", table.remove}, {"list", table.list}};
  std::string missing;
  for (const auto &[name, there] : required)
    if (!there) missing += (missing.empty() ? "" : ", ") + std::string(name);
  if (!missing.empty())
    throw PluginError(which + " lacks required functions: " + missing, "fill these entries of its table in");
  if (table.watch && !table.unwatch)
    throw PluginError(which + " has watch without unwatch", "give it both, or neither");
}

omnistore_traits read_traits(const omnistore_driver &table, const std::string &which) {
  if (!table.traits)
    throw PluginError(which + " states no traits", "point traits at a table that states its thread model");
  omnistore_traits traits = sized_copy(*table.traits);
  traits.thread_model = known_thread_model(traits.thread_model);
  if (traits.thread_model == 0)
    throw PluginError(which + " does not state its thread model",
                      "set traits.thread_model to OMNISTORE_SERIALIZED or OMNISTORE_PARALLEL");
  return traits;
}

boost::json::object read_schema(const std::string &text, const std::string &which) {
  boost::json::object schema;
  if (std::string wrong = config::check_schema(text, schema); !wrong.empty())
    throw PluginError(which + " has a bad schema of its options: " + wrong, "correct its options.schema.json");
  return schema;
}

void check_children(const omnistore_driver &table, const std::string &which) {
  if (table.min_children > table.max_children)
    throw PluginError(which + " wants at least " + std::to_string(table.min_children) + " children and at most " +
                      std::to_string(table.max_children));
}

std::shared_ptr<OwnedDriver> read_driver(const omnistore_driver &table, std::string name) {
  const std::string which = "its driver '" + name + "'";
  check_functions(table, which);
  check_children(table, which);
  const auto driver = std::make_shared<OwnedDriver>();
  driver->traits = read_traits(table, which);
  driver->options_schema =
      table.options_schema ? table.options_schema : R"({"type":"object","properties":{},"additionalProperties":false})";
  driver->schema = read_schema(driver->options_schema, which);
  driver->name = std::move(name);
  driver->version = text_or_empty(table.version);
  driver->summary = text_or_empty(table.summary);
  driver->table = table;
  driver->table.name = driver->name.c_str();
  driver->table.version = driver->version.c_str();
  driver->table.summary = driver->summary.c_str();
  driver->table.options_schema = driver->options_schema.c_str();
  driver->table.traits = &driver->traits;
  return driver;
}

/// Checks the plugin's own table.
omnistore_plugin read_plugin_table(const omnistore_plugin &from) {
  const omnistore_plugin table = sized_copy(from);
  if (table.driver_count == 0) throw PluginError("it has no driver (its driver_count is 0)");
  if (!table.drivers)
    throw PluginError("it offers " + std::to_string(table.driver_count) + " drivers, but its pointer to them is null");
  if (table.driver_count > most_drivers)
    throw PluginError("it offers " + std::to_string(table.driver_count) + " drivers; a plugin has at most " +
                      std::to_string(most_drivers));
  return table;
}

} // namespace

bool is_driver_name(std::string_view name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= longest_name && lower(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; });
}

Offers negotiate(const std::string &file, const LoadedPlugin &opened) {
  const omnistore_plugin plugin = read_plugin_table(*opened.plugin);
  Offers offers;
  for (std::uint32_t i = 0; i < plugin.driver_count; ++i) {
    std::string name;
    try {
      if (!plugin.drivers[i]) throw PluginError("its driver number " + std::to_string(i + 1) + " is a null pointer");
      const omnistore_driver table = sized_copy(*plugin.drivers[i]);
      name = read_name(table, i);
      const auto driver = read_driver(table, name);
      driver->file = file;
      driver->plugin_name = plugin.name ? plugin.name : stem_of(file);
      driver->plugin_version = text_or_empty(plugin.version);
      driver->abi_major = plugin.abi_major;
      driver->abi_minor = plugin.abi_minor;
      driver->lease = opened.lease;
      driver->sha256 = opened.sha256;
      offers.drivers.push_back(driver);
    } catch (const PluginError &reason) {
      offers.unusable.push_back({name, reason});
    }
  }
  return offers;
}

std::uint32_t known_thread_model(std::uint32_t stated) {
  if (stated >= OMNISTORE_PARALLEL) return OMNISTORE_PARALLEL;
  return stated >= OMNISTORE_SERIALIZED ? OMNISTORE_SERIALIZED : 0;
}

} // namespace omnistore::loader
