// SPDX-License-Identifier: Apache-2.0
#include "secrets.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <utility>

#include <boost/json/serialize.hpp>

#include "schema.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

constexpr std::size_t shortest_secret = 4;

struct Kept {
  std::mutex mutex;
  std::vector<std::string> secrets;
};

/// Never destroyed: threads may log until the process ends.
Kept &kept() {
  static Kept &all = *new Kept;
  return all;
}

void add_all(const TextNode &node, std::vector<std::string> &secrets) {
  if (const json::string *text = node.text())
    secrets.emplace_back(*text);
  else if (node.scalar.is_number())
    secrets.push_back(json::serialize(node.scalar));
  for (const TextNode &item : node.items) add_all(item, secrets);
  for (const Member &member : node.members) {
    const bool is_bases = member.name == "bases" && member.value.kind == TextNode::Kind::array;
    constexpr std::array<std::string_view, 4> fields{"bases", "certificate", "value", "write"};
    if (std::find(fields.begin(), fields.end(), member.name) == fields.end()) secrets.push_back(member.name);
    if (member.name == "certificate" && member.value.text()) continue; // a name, which everybody may know
    // Bases are not secrets, and other messages name them.
    if (!is_bases)
      add_all(member.value, secrets);
    else
      for (const TextNode &item : member.value.items)
        if (!item.text()) add_all(item, secrets);
  }
}

void add_of_listener(const TextNode *listener, std::vector<std::string> &secrets) {
  if (const TextNode *tokens = listener ? listener->find("tokens") : nullptr) add_all(*tokens, secrets);
}

void add_texts(const json::value &value, std::vector<std::string> &secrets) {
  if (const json::string *text = value.if_string()) secrets.emplace_back(*text);
  if (const json::array *array = value.if_array())
    for (const json::value &item : *array) add_texts(item, secrets);
  if (const json::object *object = value.if_object())
    for (const auto &[name, member] : *object) add_texts(member, secrets);
}

/// Adds each text of `whole` that is hidden in `masked`.
void add_differences(const json::value &whole, const json::value &masked, std::vector<std::string> &secrets) {
  if (whole.is_object() && masked.is_object()) {
    for (const auto &[name, value] : whole.get_object())
      if (const json::value *other = masked.get_object().if_contains(name)) add_differences(value, *other, secrets);
  } else if (whole.is_array() && masked.is_array()) {
    for (std::size_t i = 0; i < std::min(whole.get_array().size(), masked.get_array().size()); ++i)
      add_differences(whole.get_array()[i], masked.get_array()[i], secrets);
  } else if (masked == json::value("***")) {
    add_texts(whole, secrets);
  }
}

} // namespace

std::string without_secrets(std::string text, const std::vector<std::string> &secrets) {
  using Part = std::pair<std::size_t, std::size_t>; // begin and end
  std::vector<Part> found;
  for (const std::string &secret : secrets) {
    if (secret.size() < shortest_secret) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 1))
      found.emplace_back(at, at + secret.size());
  }
  if (found.empty()) return text;
  std::sort(found.begin(), found.end());
  std::string shown;
  std::size_t end = 0; // of the part of `text` that is done
  for (const Part &part : found) {
    if (part.first >= end) shown.append(text, end, part.first - end).append("***");
    end = std::max(end, part.second);
  }
  return shown.append(text, end);
}

void keep_secret(std::string secret) {
  const std::lock_guard lock(kept().mutex);
  std::vector<std::string> &secrets = kept().secrets;
  if (std::find(secrets.begin(), secrets.end(), secret) == secrets.end()) secrets.push_back(std::move(secret));
}

std::string without_kept(std::string text) {
  const std::lock_guard lock(kept().mutex);
  return without_secrets(std::move(text), kept().secrets);
}

bool contains_file(std::string_view written) {
  return written.find("${file:") != written.npos || written.find("${credential:") != written.npos;
}

void add_tokens(const TextNode &root, std::vector<std::string> &secrets) {
  const TextNode *server = root.find("server");
  add_of_listener(server ? server->find("http") : nullptr, secrets);
  add_of_listener(root.find("admin"), secrets);
  if (const TextNode *profiles = root.find("profiles"))
    for (const Member &profile : profiles->members) add_tokens(profile.value, secrets);
}

void add_secrets(const json::object &schema, const json::value &options, std::vector<std::string> &secrets) {
  add_differences(options, masked(schema, options), secrets);
}

} // namespace omnistore::config
