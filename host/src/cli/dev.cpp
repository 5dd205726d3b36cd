// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/over.hpp"
#include "loader/registry.hpp"
#include "loader/search.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

/// The name of the driver in this file that is to be served. Throws if there is none, or several and none was named.
std::string driver_in(const std::string &file, const std::string &named) {
  loader::Registry plugins({{file}, {}});
  const std::string likely = named.empty() ? std::string(loader::bare_name(loader::stem_of(file))) : named;
  try {
    if (plugins.find(likely)->file == file) return likely;
  } catch (const Error &) {
    // The messages below say more than this one.
  }
  std::string names, only;
  for (const auto &driver : plugins.all()) {
    if (driver->file != file) continue;
    if (driver->name == named) return named;
    only = names.empty() ? driver->name : std::string();
    names += (names.empty() ? "" : ", ") + driver->name;
  }
  if (named.empty() && !only.empty()) return only;
  if (!names.empty())
    throw Failure(Status::invalid, "dev: " + base::printable(file) + " has the drivers " + names,
                  "name one of them with --driver");
  for (const loader::RejectedPlugin &reject : plugins.rejected())
    if (reject.file == file) throw Failure(Status::invalid, "dev: " + reject.text(), {});
  throw Failure(Status::invalid, "dev: " + base::printable(file) + " is no plugin",
                "`omnistore drivers` lists what can be loaded");
}

json::value parse_options(const std::string &option, const std::string &text) {
  json::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object())
    throw Failure(Status::invalid, option + ": expected a JSON object, found " + base::printable(text),
                  R"(as in '{"base": "./data"}')");
  return value;
}

} // namespace

int run(const Global &global, const Dev &options) {
  if (global.remote())
    throw Failure(Status::invalid, "dev: --url is for work on a host that runs already", "leave it out");
  const std::string file = std::filesystem::absolute(options.file).lexically_normal();
  if (std::error_code failed; !std::filesystem::exists(file, failed))
    throw Failure(Status::invalid, "dev: there is no file " + base::printable(file), "build the plugin first");
  json::object mount{{"driver", driver_in(file, options.driver)},
                     {"options", parse_options("--options", options.options)}};
  json::array layers;
  for (const std::string &each : options.over) {
    const StoreConfig store = read_over(each);
    layers.push_back(
        json::object{{"driver", store.driver},
                     {"options", parse_options("--over", store.options.empty() ? std::string("{}") : store.options)}});
  }
  if (!layers.empty()) mount["layers"] = std::move(layers);
  Serve serve;
  serve.shown = file;
  serve.text = json::serialize(json::object{
      {"plugins", json::object{{"paths", json::array{json::value(file)}}}},
      {"mounts", json::object{{"", std::move(mount)}}},
      {"server", json::object{{"http", json::object{{"listen", options.listen}}}}},
      {"admin", json::object{{"listen", ""}}},
      {"log", json::object{{"level", "debug"}}},
  });
  try {
    return run(global, serve);
  } catch (const ConfigError &error) { // about a config that nobody wrote
    std::string text = "dev: " + base::printable(file) + " does not open";
    for (const Problem &problem : error.problems()) {
      constexpr std::string_view root = "mounts.\"\".";
      const std::string_view path = problem.path;
      text.append("\n  ").append(path.starts_with(root) ? path.substr(root.size()) : path);
      text.append(path.empty() ? "" : ": ").append(problem.message);
    }
    throw Failure(error.status(), text, "`omnistore drivers --file " + base::printable(file) + "` shows the options");
  }
}

} // namespace omnistore::cli
