// SPDX-License-Identifier: Apache-2.0
#include "interpolate.hpp"

#include "names.hpp"

namespace omnistore::config {

namespace {

bool is_name(std::string_view name) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

constexpr unsigned most_nested = 32; // the nesting of defaults

class Expander {
public:
  /// With `used` false, only checks the syntax, so that no variable needs to be set.
  Expander(const Config::Environment &environment, bool used, std::vector<std::string> &problems)
      : environment_(environment), used_(used), problems_(problems) {}

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

  /// Returns the value of `inner`, the text between "${" and its '}'. Adds a problem if there is none.
  std::string variable(std::string_view inner, unsigned depth) {
    const auto dash = inner.find(":-");
    const std::string name(inner.substr(0, dash));
    if (!is_name(name)) {
      problem("expected the name of an environment variable in ${...}; a plain ${ is written $${");
      return {};
    }
    const std::optional<std::string> value = used_ && environment_ ? environment_(name) : std::nullopt;
    if (dash != std::string_view::npos) {
      const bool needed = !value || value->empty();
      std::string otherwise = fallback(inner.substr(dash + 2), needed, depth + 1);
      if (needed) return otherwise;
    }
    if (!value) {
      if (used_)
        problem("the environment variable " + name + " is not set; set it, or write ${" + name +
                ":-default} to give a default");
    } else if (!valid_utf8(*value)) {
      problem("the environment variable " + name + " is not valid UTF-8");
    } else {
      return *value;
    }
    return {};
  }

  /// An unused default must be well formed too, but its variables need not be set.
  std::string fallback(std::string_view text, bool needed, unsigned depth) {
    if (depth > most_nested) {
      problem("more than " + std::to_string(most_nested) + " defaults stand within each other");
      return {};
    }
    return Expander(environment_, used_ && needed, problems_).expand(text, depth);
  }

  const Config::Environment &environment_;
  const bool used_;
  std::vector<std::string> &problems_;
};

std::string expand_text(const TextNode &node, const std::string &path, const Config::Environment &environment,
                        bool used, std::vector<Problem> &problems) {
  std::vector<std::string> wrong;
  std::string value = Expander(environment, used, wrong).expand({node.text()->data(), node.text()->size()});
  for (auto &message : wrong) problems.push_back({path, std::move(message), node.place.line, node.place.column});
  return value;
}

} // namespace

void interpolate(TextNode &node, const std::string &path, const Config::Environment &environment,
                 std::vector<Problem> &problems) {
  if (node.text() && std::string_view(*node.text()).find("${") != std::string_view::npos) {
    node.written = *node.text();
    node.scalar = expand_text(node, path, environment, true, problems);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) interpolate(node.items[i], join(path, i), environment, problems);
  for (auto &member : node.members) interpolate(member.value, join(path, member.name), environment, problems);
}

void check_variables(const TextNode &node, const std::string &path, std::vector<Problem> &problems) {
  if (node.text()) expand_text(node, path, {}, false, problems);
  for (std::size_t i = 0; i < node.items.size(); ++i) check_variables(node.items[i], join(path, i), problems);
  for (const auto &member : node.members) check_variables(member.value, join(path, member.name), problems);
}

} // namespace omnistore::config
