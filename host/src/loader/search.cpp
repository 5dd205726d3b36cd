// SPDX-License-Identifier: Apache-2.0
#include "search.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <unistd.h>

#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>

#include <omnistore/error.hpp>

#include "installed.hpp"

namespace omnistore::loader {
namespace {

namespace fs = std::filesystem;

#if defined(_WIN32)
constexpr char separator = ';';
const char *environment(const char *name) { return std::getenv(name); }
#else
constexpr char separator = ':';
// A program with more rights than its user must not load plugins that the user names.
const char *environment(const char *name) { return ::secure_getenv(name); }
#endif

/// The prefixes that a file name may have before the driver's name.
constexpr std::array<const char *, no_fit> forms = {"", "omnistore-", "lib", "libomnistore-"};

void add(std::vector<SearchPath> &places, const fs::path &path, const char *origin) {
  std::error_code error;
  std::string absolute = fs::absolute(path, error).string();
  if (error) absolute = path.string();
  while (absolute.size() > 1 && absolute.ends_with('/')) absolute.pop_back();
  const bool known = std::any_of(places.begin(), places.end(), [&](const SearchPath &p) { return p.path == absolute; });
  if (!known) places.push_back({std::move(absolute), origin});
}

/// Returns true even for a dangling link, so that it is reported and not skipped.
bool is_there(const fs::path &path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

bool is_folder(const SearchPath &place) {
  std::error_code error;
  return fs::is_directory(place.path, error);
}

} // namespace

std::vector<SearchPath> search_places(const std::vector<std::string> &config) {
  std::vector<SearchPath> places;
  for (const std::string &path : config) add(places, path, "config");

  std::string_view rest;
  if (const char *paths = environment("OMNISTORE_PLUGIN_PATH")) rest = paths;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    if (end > 0) add(places, rest.substr(0, end), "OMNISTORE_PLUGIN_PATH");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }

  boost::dll::fs::error_code error;
  const fs::path program = boost::dll::program_location(error).native();
  if (!error) {
    const fs::path above = program.parent_path().parent_path();
    add(places, above / "plugins", "build");
    add(places, above / "lib" / "omnistore" / "plugins", "installed");
  }
  add(places, installed_plugins, "installed"); // for programs in other folders that embed the host
  return places;
}

std::string helper_file(const std::string &name) {
  std::vector<fs::path> places;
  boost::dll::fs::error_code error;
  const fs::path program = boost::dll::program_location(error).native();
  if (!error) {
    const fs::path above = program.parent_path().parent_path();
    places = {above / "libexec", above / "libexec" / "omnistore"};
  }
  places.emplace_back(installed_helpers);
  for (const fs::path &place : places)
    if (const fs::path file = place / name; ::access(file.c_str(), R_OK) == 0) return file.string();
  return {};
}

std::string plugin_suffix() { return boost::dll::shared_library::suffix().string(); }

std::string stem_of(const std::string &file) {
  const std::string name = fs::path(file).filename().string();
  const std::string suffix = plugin_suffix();
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

std::string_view bare_name(std::string_view stem) {
  for (const std::string_view prefix : {"lib", "omnistore-"})
    if (stem.starts_with(prefix) && stem.size() > prefix.size()) stem.remove_prefix(prefix.size());
  return stem;
}

std::size_t fit(const std::string &file, const std::string &driver) {
  const std::string stem = stem_of(file);
  const auto found = std::find_if(forms.begin(), forms.end(), [&](const char *form) { return stem == form + driver; });
  return static_cast<std::size_t>(found - forms.begin());
}

std::vector<std::string> fitting_files(const SearchPath &place, const std::string &driver) {
  if (!is_folder(place)) {
    if (is_there(place.path) && fit(place.path, driver) != no_fit) return {place.path};
    return {};
  }
  std::vector<std::string> files;
  for (const char *form : forms) {
    const fs::path file = fs::path(place.path) / (form + driver + plugin_suffix());
    if (is_there(file)) files.push_back(file.string());
  }
  return files;
}

std::vector<std::string> plugin_files(const SearchPath &place) {
  if (!is_folder(place)) return is_there(place.path) ? std::vector{place.path} : std::vector<std::string>{};
  const std::string suffix = plugin_suffix();
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(place.path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(suffix) && !name.starts_with('.')) files.push_back(at->path().string());
  }
  // An unreadable folder has no files, which describe() reports. Any other error may be temporary, although the plugins
  // are still there.
  if (error && error != std::errc::permission_denied && error != std::errc::no_such_file_or_directory &&
      error != std::errc::not_a_directory)
    throw Error(Status::unavailable, "plugins: " + place.path + " cannot be listed: " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

std::string describe(const SearchPath &place) {
  std::error_code error;
  const fs::file_status status = fs::status(place.path, error);
  if (!fs::exists(status))
    return status.type() == fs::file_type::not_found && !is_there(place.path) ? "no such file or folder"
                                                                              : "cannot be read: " + error.message();
  if (!fs::is_directory(status)) return "a file";
  fs::directory_iterator listing(place.path, error);
  if (error) return "cannot be listed: " + error.message();
  listing = {}; // frees its descriptor, which may be the last one
  const std::size_t count = plugin_files(place).size();
  return count == 0 ? "no plugin file" : count == 1 ? "1 plugin file" : std::to_string(count) + " plugin files";
}

} // namespace omnistore::loader
