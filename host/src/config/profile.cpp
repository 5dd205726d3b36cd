// SPDX-License-Identifier: Apache-2.0
#include "profile.hpp"

#include <algorithm>

#include "config_schema.hpp"
#include "interpolate.hpp"
#include "names.hpp"
#include "schema.hpp"
#include "schema_view.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

bool is_null(const TextNode &node) { return node.kind == TextNode::Kind::scalar && node.scalar.is_null(); }

/// Returns the part of a profile that is new, without the nulls, which have nothing to remove.
TextNode without_nulls(const TextNode &node) {
  TextNode out = node;
  std::erase_if(out.members, [](const Member &member) { return is_null(member.value); });
  for (auto &member : out.members)
    if (member.value.kind == TextNode::Kind::object) member.value = without_nulls(member.value);
  return out;
}

bool changes_driver(const TextNode &below, const TextNode &above) {
  const TextNode *before = below.find("driver"), *after = above.find("driver");
  return after && !(before && before->scalar == after->scalar);
}

void merge(TextNode &below, const TextNode &above, bool mounts);

/// Merges one member, which may be a mount.
void merge_member(TextNode &below, const Member &member, bool is_mount) {
  TextNode *old = below.find(member.name);
  bool both = old && old->kind == TextNode::Kind::object && member.value.kind == TextNode::Kind::object;
  if (is_null(member.value)) {
    std::erase_if(below.members, [&](const Member &other) { return other.name == member.name; });
  } else if (!old) {
    below.members.push_back({member.name, member.place, without_nulls(member.value)});
  } else if (!both || (is_mount && changes_driver(*old, member.value))) {
    *old = without_nulls(member.value);
  } else {
    merge(*old, member.value, false);
  }
}

void merge(TextNode &below, const TextNode &above, bool mounts) {
  for (const auto &member : above.members) merge_member(below, member, mounts);
}

void normalise_mounts(TextNode &config, const std::string &path, std::vector<Problem> &problems) {
  TextNode *mounts = config.find("mounts");
  if (!mounts || mounts->kind != TextNode::Kind::object) return;
  std::vector<Member> kept;
  for (auto &member : mounts->members) {
    std::string where = join(join(path, "mounts"), member.name), problem;
    std::string name = normalise(member.name, problem);
    auto same = std::find_if(kept.begin(), kept.end(), [&](const Member &other) { return other.name == name; });
    if (same != kept.end())
      problem =
          "it is the same mountpoint as the one in line " + std::to_string(same->place.line) + ", " + in_quotes(name);
    else if (!problem.empty())
      problem = "this is not a mountpoint: " + problem;
    if (problem.empty())
      member.name = name;
    else // its contents are checked nevertheless, under its own name
      problems.push_back({where, problem, member.place.line, member.place.column});
    kept.push_back(std::move(member));
  }
  mounts->members = std::move(kept);
}

void merge_profile(TextNode &config, const TextNode &profile) {
  for (const auto &member : profile.members) {
    TextNode *old = config.find(member.name);
    bool both = old && old->kind == TextNode::Kind::object && member.value.kind == TextNode::Kind::object;
    if (member.name == "mounts" && both)
      merge(*old, member.value, true);
    else
      merge_member(config, member, false);
  }
}

/// Checks the profiles that are not chosen, so that mistakes are found early.
void check_others(const TextNode &profiles, const std::string &chosen, std::vector<Problem> &problems) {
  for (const auto &[name, place, profile] : profiles.members) {
    if (name == chosen) continue;
    const std::string path = join("profiles", name);
    SourceMap places;
    places.add(path, profile.place, place);
    json::value value = to_json(profile, path, places);
    check_variables(profile, path, problems);
    validate_patch(config_schema(), not_in_profiles, value, path, &places, problems);
  }
}

/// The rest of the chosen profile is checked after the merge.
void check_chosen(const TextNode &profile, const std::string &path, std::vector<Problem> &problems) {
  if (profile.kind != TextNode::Kind::object)
    problems.push_back({path, "expected an object", profile.place.line, profile.place.column});
  for (const auto &member : profile.members)
    if (std::find(not_in_profiles.begin(), not_in_profiles.end(), member.name) != not_in_profiles.end())
      problems.push_back(
          {join(path, member.name), "a profile has no such field", member.place.line, member.place.column});
}

std::string no_such_profile(const std::string &chosen, const TextNode &profiles) {
  std::vector<std::string> names;
  for (const auto &member : profiles.members) names.push_back(member.name);
  std::string message = "there is no profile " + in_quotes(chosen);
  if (names.empty()) return message + ", and no other";
  message += (names.size() == 1 ? "; there is " : "; there are ") + enumerate(names, "and");
  std::string near = nearest(chosen, names);
  return near.empty() ? message : message + "; did you mean " + in_quotes(near) + "?";
}

} // namespace

void apply_profile(TextNode &config, const std::string &chosen, std::vector<Problem> &problems) {
  TextNode profiles;
  profiles.kind = TextNode::Kind::object;
  if (TextNode *found = config.find("profiles"); found && found->kind == TextNode::Kind::object) {
    profiles = std::move(*found);
    std::erase_if(config.members, [](const Member &member) { return member.name == "profiles"; });
  }
  normalise_mounts(config, {}, problems);
  for (auto &profile : profiles.members) normalise_mounts(profile.value, join("profiles", profile.name), problems);
  check_others(profiles, chosen, problems);
  if (chosen.empty()) return;

  const TextNode *profile = profiles.find(chosen);
  if (!profile) {
    problems.push_back({"profiles", no_such_profile(chosen, profiles), profiles.place.line, profiles.place.column});
  } else {
    check_chosen(*profile, join("profiles", chosen), problems);
    merge_profile(config, *profile);
  }
}

} // namespace omnistore::config
