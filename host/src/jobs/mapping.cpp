// SPDX-License-Identifier: Apache-2.0
#include "jobs/mapping.hpp"

#include "storage/key.hpp"

namespace omnistore::jobs {

Mapping::Mapping(std::string verb, const Endpoint &from, const Endpoint &to, const Rewrite &rewrite, Overlap overlap)
    : verb_(std::move(verb)), from_(from.base), to_(to.base), rewrite_(rewrite),
      guarded_(from.storage == to.storage && overlap == Overlap::refused) {
  if (!guarded_ || !rewrite_.empty()) return;
  const auto quoted = [](const Endpoint &end) { return end.base.empty() ? "the whole storage" : end.shown(); };
  if (from_ == to_) throw Error(Status::invalid, verb_ + " " + quoted(from) + ": source and target are the same");
  if (to_.starts_with(from_) || from_.starts_with(to_))
    throw Error(Status::invalid, verb_ + " " + quoted(from) + " to " + quoted(to) +
                                     ": one lies under the other, so the copies would be copied again");
}

Mapping::Mapping(std::string verb, const Endpoint &to, const Rewrite &rewrite)
    : verb_(std::move(verb)), to_(to.base), rewrite_(rewrite), guarded_(false) {}

std::string Mapping::rewritten(std::string_view key) const {
  const std::string relative = rewrite_.apply(key.substr(from_.size()));
  try {
    if (normal_form(relative).empty()) throw Error(Status::invalid, "nothing is left of it");
    const std::string whole = to_ + relative;
    const Key normal(whole);
    if (normal.is_meta()) throw Error(Status::invalid, "a key that ends in '$' is another key's meta");
    return std::string(normal.view());
  } catch (const Error &error) {
    throw Error(Status::invalid,
                verb_ + " " + std::string(key) + ": rewritten it is \"" + relative + "\": " + error.what());
  }
}

std::string Mapping::target(std::string_view key) const {
  if (rewrite_.empty()) {
    std::string whole;
    whole.reserve(to_.size() + key.size() - from_.size());
    return whole.append(to_).append(key.substr(from_.size()));
  }
  std::string whole = rewritten(key);
  if (guarded_ && whole != key && whole.starts_with(from_)) {
    const std::string again = rewritten(whole);
    if (again != whole)
      throw Error(Status::invalid, verb_ + " " + std::string(key) + ": its copy " + whole +
                                       " lies under the source and would be copied again, to " + again);
  }
  return whole;
}

std::string Mapping::claim(std::string_view key) {
  std::string whole = target(key);
  if (rewrite_.empty()) return whole; // no two keys become one
  const std::lock_guard lock(mutex_);
  const auto [known, fresh] = claimed_.try_emplace(whole, key);
  if (!fresh && known->second != key)
    throw Error(Status::conflict, verb_ + " " + std::string(key) + ": rewritten it is " + whole + ", as " +
                                      known->second + " is; change the rewrite so that they stay apart");
  if (!fresh) return whole;
  order_.push_back(whole);
  if (order_.size() > remembered) {
    claimed_.erase(order_.front());
    order_.pop_front();
  }
  return whole;
}

} // namespace omnistore::jobs
