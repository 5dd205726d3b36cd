// SPDX-License-Identifier: Apache-2.0
#include "interpolate.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.hpp"
#include "names.hpp"

namespace omnistore::config {

namespace {

bool is_name(std::string_view name) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr unsigned most_nested = 32;              // the nesting of defaults
constexpr std::size_t longest_secret = 64 * 1024; // bytes of a file

constexpr std::string_view from_file = "file:", from_credential = "credential:";

/// Reads a file whole, without the newline at its end. Returns the reason if it cannot be read.
std::string read_secret(const std::string &file, std::string &into) {
  // A pipe without a writer would keep the reader waiting.
  const base::Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor) return std::strerror(errno);
  struct stat status;
  if (::fstat(descriptor.number(), &status) != 0) return std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return "it is no regular file";
  std::string text(longest_secret + 1, '\0');
  std::size_t size = 0;
  for (ssize_t got = 1; got != 0 && size < text.size(); size += static_cast<std::size_t>(got))
    if (got = ::read(descriptor.number(), text.data() + size, text.size() - size); got < 0) return std::strerror(errno);
  if (size > longest_secret) return "it has more than 64 KiB";
  text.resize(size);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (!valid_utf8(text)) return "it is not valid UTF-8";
  into = std::move(text);
  return {};
}

class Expander {
public:
  /// With `used` false, only checks the syntax, so that no variable needs to be set.
  Expander(Sources &sources, bool used, std::vector<std::string> &problems)
      : sources_(sources), used_(used), problems_(problems) {}

  std::string expand(std::string_view text, unsigned depth = 0) {
    std::string out;
    for (;;) {
      const auto dollar = text.find("${");
      if (dollar == std::string_view::npos) return out.append(text);
      out.append(text.substr(0, dollar));
      text.remove_prefix(dollar + 2);
      if (dollar > 0 && out.back() == '$') { // $${, whose first $ was copied before
        out += '{';
        continue;
      }
      const auto end = closing_brace(text);
      if (end == std::string_view::npos) {
        problem("a ${ has no closing }; a plain ${ is written $${, and braces in a default come in pairs");
        return out;
      }
      out += variable(text.substr(0, end), depth);
      text.remove_prefix(end + 1);
    }
  }

private:
  void problem(std::string message) { problems_.push_back(std::move(message)); }

  /// Returns the position of the '}' that closes a '{'. The pairs in between belong to the default.
  static std::size_t closing_brace(std::string_view text) {
    std::size_t open = 1;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '{') ++open;
      if (text[at] == '}' && --open == 0) return at;
    }
    return std::string_view::npos;
  }

  /// Returns the position of the ":-" before the default; those in braces belong to variables in a path.
  static std::size_t before_default(std::string_view text) {
    std::size_t open = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '{') ++open;
      if (text[at] == '}' && open > 0) --open;
      if (open == 0 && text.substr(at).starts_with(":-")) return at;
    }
    return std::string_view::npos;
  }

  /// Returns the value of `inner`, the text between "${" and its '}'. Adds a problem if there is none.
  std::string variable(std::string_view inner, unsigned depth) {
    const bool is_file = inner.starts_with(from_file) || inner.starts_with(from_credential);
    const auto dash = is_file ? before_default(inner) : inner.find(":-");
    const std::string_view name = inner.substr(0, dash);
    std::string missing; // the reason why there is no value
    const std::optional<std::string> value = is_file ? file(name, depth, missing) : set(std::string(name), missing);
    if (dash != std::string_view::npos) {
      const bool needed = !value || value->empty();
      std::string otherwise = fallback(inner.substr(dash + 2), needed, depth + 1);
      if (needed) return otherwise;
    }
    if (!value && !missing.empty()) problem(std::move(missing));
    return value.value_or("");
  }

  /// Returns the value of an environment variable.
  std::optional<std::string> set(const std::string &name, std::string &missing) {
    if (!is_name(name)) {
      problem("expected the name of an environment variable in ${...}, or ${file:PATH}, or ${credential:NAME}; a plain "
              "${ is written $${");
      return "";
    }
    std::optional<std::string> value = used_ && sources_.environment ? sources_.environment(name) : std::nullopt;
    if (!value && used_)
      missing = "the environment variable " + name + " is not set; set it, or write ${" + name +
                ":-default} to give a default";
    if (!value || valid_utf8(*value)) return value;
    problem("the environment variable " + name + " is not valid UTF-8");
    return "";
  }

  /// Returns the text of the file that `inner` ("file:PATH", "credential:NAME") names.
  std::optional<std::string> file(std::string_view inner, unsigned depth, std::string &missing) {
    namespace fs = std::filesystem;
    if (depth >= most_nested) {
      problem("more than " + std::to_string(most_nested) + " variables stand within each other");
      return "";
    }
    const bool is_credential = inner.starts_with(from_credential);
    const std::string_view written = inner.substr(is_credential ? from_credential.size() : from_file.size());
    const std::string name = expand(written, depth + 1);
    if (written.empty() || (is_credential && used_ && (name.empty() || name.find('/') != name.npos))) {
      problem(is_credential ? "expected ${credential:NAME}, with the name of a credential"
                            : "expected ${file:PATH}, with the path of a file");
      return "";
    }
    if (!used_) return std::nullopt;
    if (!sources_.environment) {
      missing = "files are not read here";
      return std::nullopt;
    }
    fs::path folder = sources_.folder;
    if (is_credential) {
      const std::optional<std::string> credentials = sources_.environment("CREDENTIALS_DIRECTORY");
      if (!credentials || credentials->empty()) {
        missing = "there is no credential " + name +
                  ", since CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=" + name +
                  ":PATH";
        return std::nullopt;
      }
      folder = *credentials;
    }
    const std::string path = (folder / name).lexically_normal();
    std::string &value = sources_.files[path];
    if (const std::string why = read_secret(path, value); why.empty())
      return value;
    else
      missing = "the file " + path + " cannot be read: " + why;
    return std::nullopt;
  }

  /// An unused default must be well formed too, but its variables need not be set.
  std::string fallback(std::string_view text, bool needed, unsigned depth) {
    if (depth > most_nested) {
      problem("more than " + std::to_string(most_nested) + " defaults stand within each other");
      return {};
    }
    return Expander(sources_, used_ && needed, problems_).expand(text, depth);
  }

  Sources &sources_;
  const bool used_;
  std::vector<std::string> &problems_;
};

std::string expand_text(const TextNode &node, const std::string &path, Sources &sources, bool used,
                        std::vector<Problem> &problems) {
  std::vector<std::string> wrong;
  std::string value = Expander(sources, used, wrong).expand({node.text()->data(), node.text()->size()});
  for (auto &message : wrong) problems.push_back({path, std::move(message), node.place.line, node.place.column});
  return value;
}

} // namespace

void interpolate(TextNode &node, const std::string &path, Sources &sources, std::vector<Problem> &problems) {
  if (node.text() && std::string_view(*node.text()).find("${") != std::string_view::npos) {
    node.written = *node.text();
    node.scalar = expand_text(node, path, sources, true, problems);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) interpolate(node.items[i], join(path, i), sources, problems);
  for (auto &member : node.members) interpolate(member.value, join(path, member.name), sources, problems);
}

void check_variables(const TextNode &node, const std::string &path, std::vector<Problem> &problems) {
  const Config::Environment none;
  Sources sources{none, {}};
  if (node.text()) expand_text(node, path, sources, false, problems);
  for (std::size_t i = 0; i < node.items.size(); ++i) check_variables(node.items[i], join(path, i), problems);
  for (const auto &member : node.members) check_variables(member.value, join(path, member.name), problems);
}

} // namespace omnistore::config
