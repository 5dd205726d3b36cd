// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"

namespace omnistore::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name = 64;

/// A name that a driver may have, made of one that it may not.
std::string proper(const std::string &name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte))
      text += static_cast<char>(std::tolower(byte));
    else if (!text.empty() && text.back() != '-')
      text += '-';
  }
  while (text.ends_with('-')) text.pop_back();
  if (text.empty() || !std::isalpha(static_cast<unsigned char>(text[0]))) text = text.empty() ? "my-store" : "d" + text;
  return text.substr(0, max_name);
}

void check_name(const std::string &name) {
  bool right = !name.empty() && name.size() <= max_name && name[0] >= 'a' && name[0] <= 'z';
  for (const char c : name) right = right && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  if (!right)
    throw Failure(Status::invalid,
                  "new-driver: a driver's name is a letter of a-z, then a-z, 0-9 and -, at most 64 in all, not " +
                      base::printable(name),
                  "`omnistore new-driver " + proper(name) + "`");
}

/// The folder above the program's own: that of the installation, or the build.
fs::path prefix() {
  std::error_code failed;
  return fs::read_symlink("/proc/self/exe", failed).parent_path().parent_path();
}

void replace_all(std::string &text, std::string_view what, const std::string &by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) text.replace(at, what.size(), by);
}

[[noreturn]] void cannot(const fs::path &path, const char *verb, const std::error_code &error) {
  throw Error(Status::io, "new-driver: " + base::printable(path.string()) + " cannot be " + verb +
                              (error ? ": " + error.message() : std::string()));
}

/// Copies a template's files into the project, with the driver's name put in.
void copy_part(const fs::path &from, const fs::path &to, const std::string &name) {
  for (const auto &entry : fs::recursive_directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (in.bad()) cannot(entry.path(), "read", {});
    replace_all(text, "@NAME@", name);
    replace_all(text, "@PREFIX@", prefix().string());
    std::string path = entry.path().lexically_relative(from).string();
    replace_all(path, "NAME", name);
    const fs::path file = to / path;
    std::error_code failed;
    fs::create_directories(file.parent_path(), failed);
    if (failed) cannot(file.parent_path(), "made", failed);
    std::ofstream out(file, std::ios::binary);
    out << text << std::flush;
    if (!out) cannot(file, "written", {});
  }
}

} // namespace

int run(const Global &global, const NewDriver &options) {
  check_name(options.name);
  const std::string language = options.language.empty() ? "cpp" : options.language;
  const fs::path folder = options.folder.empty() ? fs::path(options.name) : fs::path(options.folder);
  std::error_code failed;
  if (fs::exists(fs::symlink_status(folder, failed)))
    throw Failure(Status::invalid, "new-driver: " + base::printable(folder.string()) + " exists already",
                  "name another folder with --folder, or remove it");

  const fs::path templates = prefix() / "share" / "omnistore" / "template";
  std::vector<std::string> parts{"all"}; // a later part replaces files of those before it
  if (language != "rust") parts.emplace_back("cmake");
  if (language == "rust" || !options.layer) parts.push_back(language);
  if (options.layer) parts.insert(parts.end(), {"layer", language + "-layer"});
  for (const std::string &part : parts)
    if (!fs::is_directory(templates / part, failed))
      throw Failure(Status::unsupported, "new-driver: there are no templates in " + templates.string(),
                    "install the SDK: `cmake --install BUILD --component sdk`");
  for (const std::string &part : parts) copy_part(templates / part, folder, options.name);

  Output out;
  const std::string shown = folder.string();
  if (global.json) {
    out.json(boost::json::object{{"name", options.name},
                                 {"folder", fs::absolute(folder, failed).lexically_normal().string()},
                                 {"language", language},
                                 {"layer", options.layer}});
  } else if (!global.quiet) {
    out.line("Wrote " + base::printable(shown));
    out.line("Next");
    out.line("  make -C " + shown + "         # builds " + shown + "/build/plugins/" + options.name + ".so");
    out.line("  make -C " + shown + " test    # tries it against the contract");
    out.line("  make -C " + shown + " dev     # serves it");
  }
  out.flush();
  return 0;
}

} // namespace omnistore::cli
