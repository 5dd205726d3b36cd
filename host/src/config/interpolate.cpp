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

/// The value of what stands between "${" and '}', or adds why there is none to `problems`.
std::string expand(std::string_view inner, const Config::Environment &environment, std::vector<std::string> &problems) {
  auto dash = inner.find(":-");
  std::string name(inner.substr(0, dash));
  if (!is_name(name)) {
    problems.push_back("expected the name of an environment variable in ${...}; a plain ${ is written $${");
    return {};
  }
  std::optional<std::string> value = environment ? environment(name) : std::nullopt;
  if (dash != std::string_view::npos && (!value || value->empty())) return std::string(inner.substr(dash + 2));
  if (!value)
    problems.push_back("the environment variable " + name + " is not set; set it, or write ${" + name +
                       ":-default} to give a default");
  else if (!valid_utf8(*value))
    problems.push_back("the environment variable " + name + " is not valid UTF-8");
  else
    return *value;
  return {};
}

std::string expand_all(std::string_view text, const Config::Environment &environment,
                       std::vector<std::string> &problems) {
  std::string out;
  for (;;) {
    auto dollar = text.find("${");
    if (dollar == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, dollar));
    text.remove_prefix(dollar + 2);
    if (dollar > 0 && out.back() == '$') { // written $${, whose first $ is there already
      out += '{';
      continue;
    }
    auto end = text.find('}');
    if (end == std::string_view::npos) {
      problems.push_back("a ${ has no closing }; a plain ${ is written $${");
      return out;
    }
    out += expand(text.substr(0, end), environment, problems);
    text.remove_prefix(end + 1);
  }
}

} // namespace

void interpolate(Node &node, const std::string &path, const Config::Environment &environment,
                 std::vector<Problem> &problems) {
  if (const auto *text = node.text()) {
    std::vector<std::string> wrong;
    std::string value = expand_all({text->data(), text->size()}, environment, wrong);
    for (auto &message : wrong) problems.push_back({path, std::move(message), node.place.line, node.place.column});
    node.scalar = value;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) interpolate(node.items[i], join(path, i), environment, problems);
  for (auto &member : node.members) interpolate(member.value, join(path, member.name), environment, problems);
}

} // namespace omnistore::config
