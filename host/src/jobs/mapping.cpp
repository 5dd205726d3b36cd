// SPDX-License-Identifier: Apache-2.0
#include "jobs/mapping.hpp"

#include <algorithm>

#include "storage/key.hpp"

namespace omnistore::jobs {

namespace {

std::string quoted(const Endpoint &end) { return end.base.empty() ? "the whole storage" : end.shown(); }

} // namespace

Mapping::Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite, bool move)
    : verb_(std::move(verb)), from_(from.base), to_(to.base), rewrite_(rewrite) {
  const bool one_storage = from.storage == to.storage;
  if (one_storage && rewrite_.empty()) refuse_overlap(from, to);
  shared_ = find_shared_keys(verb_, from, to, move);
  if (!shared_.empty() && rewrite_.empty()) refuse_shared(from, to);
  if (one_storage) shared_.push_back({"", ""});
}

Mapping::Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite)
    : verb_(std::move(verb)), from_(from.base), to_(to.base), rewrite_(rewrite) {}

Mapping::Mapping(std::string verb, const Endpoint &to, const Rewrite &rewrite)
    : verb_(std::move(verb)), to_(to.base), rewrite_(rewrite) {}

void Mapping::refuse_overlap(const Endpoint &from, const Endpoint &to) const {
  if (from_ == to_) throw Error(Status::invalid, verb_ + " " + quoted(from) + ": source and target are the same");
  if (to_.starts_with(from_) || from_.starts_with(to_))
    throw Error(Status::invalid, verb_ + " " + quoted(from) + " to " + quoted(to) +
                                     ": one is under the other, so the copies would be copied again");
}

void Mapping::refuse_shared(const Endpoint &from, const Endpoint &to) const {
  const auto in = [](const Endpoint &end) { return end.name.empty() ? std::string() : " in " + end.name; };
  const auto &[source, target] = shared_.front();
  throw Error(Status::invalid, verb_ + " " + quoted(from) + " to " + quoted(to) +
                                   ": source and target are one store under two names: " + source + "KEY" + in(from) +
                                   " is " + target + "KEY" + in(to) + "; nothing was copied or removed");
}

std::string Mapping::rewritten(std::string_view key) const {
  const std::string relative = rewrite_.apply(key.substr(from_.size()));
  try {
    if (normal_form(relative).empty()) throw Error(Status::invalid, "the key is empty");
    const std::string whole = to_ + relative;
    const Key normal(whole);
    if (normal.is_meta()) throw Error(Status::invalid, "a key that ends in '$' is another key's meta");
    return std::string(normal.view());
  } catch (const Error &error) {
    throw Error(Status::invalid,
                verb_ + " " + std::string(key) + ": the rewrite gives \"" + relative + "\": " + error.what());
  }
}

std::string Mapping::target(std::string_view key) const {
  if (rewrite_.empty()) {
    std::string whole;
    whole.reserve(to_.size() + key.size() - from_.size());
    return whole.append(to_).append(key.substr(from_.size()));
  }
  std::string whole = rewritten(key);
  for (const auto &[source, target] : shared_) {
    if (!whole.starts_with(target)) continue;
    const std::string copy = source + whole.substr(target.size()); // the key at the source
    if (copy == key || !copy.starts_with(from_)) continue;
    const std::string again = rewritten(copy);
    if (again != whole)
      throw Error(Status::invalid, verb_ + " " + std::string(key) + ": its copy " + copy +
                                       " is under the source and would be copied again, to " + again);
  }
  return whole;
}

bool Mapping::is_itself(std::string_view key, std::string_view whole) const {
  return std::any_of(shared_.begin(), shared_.end(), [&](const SharedKeys &each) {
    return key.starts_with(each.source) && whole.starts_with(each.target) &&
           key.substr(each.source.size()) == whole.substr(each.target.size());
  });
}

std::string Mapping::claim(std::string_view key) {
  std::string whole = target(key);
  if (rewrite_.empty()) return whole; // two keys cannot become one
  const std::lock_guard lock(mutex_);
  const auto [known, fresh] = claimed_.try_emplace(whole, key);
  if (!fresh && known->second != key)
    throw Error(Status::conflict, verb_ + " " + std::string(key) + ": the rewrite gives " + whole +
                                      ", the same as for " + known->second +
                                      "; change the rewrite so that the keys differ");
  if (!fresh) return whole;
  order_.push_back(whole);
  if (order_.size() > remembered) {
    claimed_.erase(order_.front());
    order_.pop_front();
  }
  return whole;
}

} // namespace omnistore::jobs
