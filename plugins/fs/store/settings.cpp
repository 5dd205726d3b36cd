// SPDX-License-Identifier: Apache-2.0
#include "store/settings.hpp"

#include <charconv>
#include <filesystem>
#include <system_error>

#include "listing/ignore.hpp"

namespace fs {

using omnistore::Failure;

namespace {

Durability durability_of(const std::string &name) {
  if (name == "full") return Durability::full;
  return name == "data" ? Durability::data : Durability::none;
}

/// A mode in octal digits, which must give the owner at least `least`.
mode_t mode_of(const omnistore::Options &options, const char *name, const char *otherwise, mode_t least) {
  const std::string text = options.string(name, otherwise);
  mode_t mode = 0;
  const char *const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc() || read != end || mode > 0777 || text[0] == '-')
    throw Failure(OMNISTORE_INVALID, std::string("option ") + name + ": \"" + text +
                                         "\" is no mode; write octal digits, such as \"" + otherwise + "\"");
  if ((mode & least) != least)
    throw Failure(OMNISTORE_INVALID, std::string("option ") + name + ": the mode \"" + text +
                                         "\" does not let the host use what it makes; \"" + otherwise + "\" does");
  return mode;
}

mode_t value_mode(const omnistore::Options &options) { return mode_of(options, "mode", "0600", 0400); }

mode_t folder_mode_of(const omnistore::Options &options) { return mode_of(options, "folderMode", "0700", 0700); }

std::string absolute_base(const omnistore::Options &options) {
  std::error_code error;
  const std::filesystem::path base = std::filesystem::absolute(options.string("base"), error);
  if (error) throw Failure(OMNISTORE_INVALID, "option base: " + error.message());
  return base.lexically_normal().string();
}

} // namespace

Settings::Settings(const omnistore::Options &options)
    : base(absolute_base(options)), read_only(options.boolean("readOnly", false)),
      no_clear(options.boolean("noClear", false)), durability(durability_of(options.string("durability", "none"))),
      mode(value_mode(options)), folder_mode(folder_mode_of(options)),
      ignore(options.strings("ignore", std::vector<std::string>{"**/node_modules/**", "**/.git/**"})) {}

void Settings::validate(const omnistore::Options &options, omnistore::Problems &problems) {
  problems.check([&] { absolute_base(options); });
  problems.check([&] { value_mode(options); });
  problems.check([&] { folder_mode_of(options); });
  for (const std::string &pattern : options.strings("ignore", std::vector<std::string>()))
    problems.check([&] { Ignore({pattern}); });
}

} // namespace fs
