// SPDX-License-Identifier: Apache-2.0
#include "storage/changes.hpp"

#include <boost/json/parse.hpp>

#include "config/formats.hpp"

namespace omnistore {
namespace {

void add(std::string &details, const std::string &detail) {
  if (!details.empty()) details += ", ";
  details += detail;
}

/// Names only: an option's value may be a secret.
std::string changed_options(const Plan &old, const Plan &wanted) {
  const boost::json::value before = boost::json::parse(old.options), after = boost::json::parse(wanted.options);
  std::string names;
  for (const auto &[name, value] : after.get_object()) {
    const boost::json::value *other = before.get_object().if_contains(name);
    if (!other || *other != value) add(names, name);
  }
  for (const auto &[name, value] : before.get_object())
    if (!after.get_object().contains(name)) add(names, name);
  return names;
}

/// Names the old and the new code: "greet 1.0.0 -> 2.0.0, plugin file /x/greet.so".
std::string changed_plugin(const loader::Driver &old, const loader::Driver &wanted) {
  return wanted.name + " " + old.version + " -> " + wanted.version + ", plugin file " + wanted.file;
}

/// Describes the first difference between two stores and names its place. Returns "" if they are the same.
std::string difference(const Plan &old, const Plan &wanted, const std::string &where) {
  if (!old.driver || !wanted.driver) return old.driver == wanted.driver ? "" : where + "driver";
  if (old.driver->name != wanted.driver->name)
    return where + "driver " + old.driver->name + " -> " + wanted.driver->name;
  std::string details;
  if (old.driver != wanted.driver) add(details, where + changed_plugin(*old.driver, *wanted.driver));
  if (const std::string names = changed_options(old, wanted); !names.empty()) add(details, where + "options " + names);
  if (old.children.size() != wanted.children.size()) {
    add(details,
        where + std::to_string(old.children.size()) + " -> " + std::to_string(wanted.children.size()) + " layers");
    return details;
  }
  for (std::size_t i = 0; i < old.children.size(); ++i) {
    const std::string inner =
        difference(old.children[i], wanted.children[i], where + "layer " + std::to_string(i) + ": ");
    if (!inner.empty()) add(details, inner);
  }
  return details;
}

std::string shown_prefix(const std::string &prefix) {
  return prefix.empty() ? "none" : prefix.substr(0, prefix.size() - 1);
}
std::string shown_ttl(std::int64_t ttl) { return ttl == 0 ? "never" : config::shown_duration(ttl); }

} // namespace

MountChange change_of(const Mount *old, bool was_open, const Mount &wanted) {
  using Kind = MountChange::Kind;
  MountChange change{Kind::added, wanted.mountpoint, wanted.config.store.driver, {}, true};
  if (!old) return change;
  if (!was_open) {
    change.kind = Kind::replaced;
    change.details = "it could not be opened before";
    return change;
  }
  change.details = difference(old->plan, wanted.plan, {});
  change.kind = change.details.empty() ? Kind::kept : Kind::replaced;
  if (old->prefix != wanted.prefix)
    add(change.details, "prefix " + shown_prefix(old->prefix) + " -> " + shown_prefix(wanted.prefix));
  if (old->ttl != wanted.ttl) add(change.details, "ttl " + shown_ttl(old->ttl) + " -> " + shown_ttl(wanted.ttl));
  if (old->read_only != wanted.read_only) add(change.details, wanted.read_only ? "becomes read-only" : "takes writes");
  change.changed = !change.details.empty();
  return change;
}

} // namespace omnistore
