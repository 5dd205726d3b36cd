// SPDX-License-Identifier: Apache-2.0
#include "jobs/verify.hpp"

#include <algorithm>

#include "jobs/crew.hpp"
#include "jobs/digest.hpp"

namespace omnistore::jobs {

std::string_view difference_name(Difference::Kind kind) {
  constexpr std::string_view names[] = {"missing", "extra", "different", "meta", "unreadable"};
  return names[static_cast<std::size_t>(kind)];
}

Verify::Verify(const Endpoint &from, const Endpoint &to, VerifyOptions options,
               std::function<void(const Difference &)> found)
    : from_(from), to_(to), options_(std::move(options)), found_(std::move(found)),
      mapping_("verify", from, to, options_.rewrite), bytes_(options_.bytes_a_second), keys_(options_.keys_a_second) {
  if (from.storage == to.storage && from.base == to.base && options_.rewrite.empty())
    throw Error(Status::invalid, "verify " + from.shown() + ": source and target are the same");
}

bool Verify::run() {
  const auto compare = [this](const Endpoint &end, bool backwards) {
    return work_off<Batch>(
        options_.workers, stop_, [this](Batch &batch) { work(batch); },
        [&](const auto &put) { list(end, backwards, put); });
  };
  if (!compare(from_, false)) return false;
  // Where the target has as many keys as were found there, it has no others.
  std::uint64_t listed = 0;
  list(to_, true, [&](Batch &&batch) { return listed += batch.keys.size(), !stop_; });
  if (stop_) return false;
  if (listed == both_ && options_.rewrite.empty()) return true;
  return compare(to_, true);
}

template <typename Put>
void Verify::list(const Endpoint &end, bool backwards, const Put &put) {
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  do {
    Page page = end.storage->list(end.base, how);
    for (const Skipped &place : page.skipped) {
      if (!skipped_.insert(place.message).second) continue;
      Status first = Status::ok;
      failure_.compare_exchange_strong(first, place.status);
      tell(Difference::Kind::unreadable, backwards ? "" : place.base, place.base, place.message);
    }
    for (std::size_t at = 0; at < page.items.size(); at += batch_keys) {
      Batch batch{backwards, {}};
      for (std::size_t i = at; i < std::min(at + batch_keys, page.items.size()); ++i)
        batch.keys.push_back(std::move(page.items[i].key));
      if (!put(std::move(batch))) return;
    }
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty() && !stop_);
}

void Verify::work(Batch &batch) {
  keys_.take(batch.keys.size(), stop_);
  if (stop_) return;
  if (batch.backwards) return look_back(batch.keys);
  std::vector<std::string> targets;
  for (const std::string &key : batch.keys) targets.push_back(mapping_.target(key));
  if (!options_.rewrite.empty()) {
    const std::lock_guard lock(mutex_);
    for (const std::string &key : targets) targets_.insert(std::hash<std::string>()(key));
  }
  std::vector<Taken> ones = take(*from_.storage, batch.keys), others = take(*to_.storage, targets);
  for (std::size_t i = 0; i < ones.size(); ++i) compare(batch.keys[i], targets[i], ones[i], others[i]);
}

/// Keys of the target: those that the source does not have.
void Verify::look_back(const std::vector<std::string> &keys) {
  for (const std::string &key : keys) {
    if (options_.rewrite.empty()) {
      const std::string source = from_.base + key.substr(to_.base.size());
      try {
        if (!from_.storage->has(source, in_background)) tell(Difference::Kind::extra, "", key);
      } catch (const Error &error) {
        unreadable(error, source, key);
      }
    } else if (!targets_.contains(std::hash<std::string>()(key))) { // nobody adds to them any more
      tell(Difference::Kind::extra, "", key);
    }
  }
}

void Verify::compare(const std::string &from, const std::string &to, Taken &one, Taken &other) {
  for (const Taken *side : {&one, &other})
    if (side->state == Taken::State::failed) {
      if (other.state != Taken::State::gone) ++both_; // it is there, and so none that the source does not have
      return unreadable(Error(side->failure.status, side->failure.message), from, to);
    }
  if (one.state == Taken::State::gone) return; // since it was listed
  tally_.add(Fate::listed);
  if (other.state == Taken::State::gone) return tell(Difference::Kind::missing, from, to);
  ++both_;
  tally_.add(Fate::bytes, one.size);
  try {
    if (!same_bytes(from, to, one, other)) return tell(Difference::Kind::different, from, to);
  } catch (const Error &error) { // a long value, which is read only now
    return unreadable(error, from, to);
  }
  if (options_.meta && !same_meta(one, other)) return tell(Difference::Kind::meta, from, to);
  tally_.add(Fate::same);
}

bool Verify::same_bytes(const std::string &from, const std::string &to, Taken &one, Taken &other) {
  bytes_.take(one.size, stop_);
  if (one.size != other.size) return false;
  if (one.state == Taken::State::held) return one.value == other.value;
  const std::string first = digest_of(*from_.storage, from, one);
  return !first.empty() && first == digest_of(*to_.storage, to, other);
}

/// One key's value cannot be read. Throws if that may be so of every key.
void Verify::unreadable(const Error &error, const std::string &from, const std::string &to) {
  switch (error.status()) {
  case Status::timeout:
  case Status::cancelled:
  case Status::unavailable:
  case Status::internal:
    throw error;
  default:
    tell(Difference::Kind::unreadable, from, to, error.what());
  }
}

void Verify::tell(Difference::Kind kind, const std::string &from, const std::string &to, const std::string &message) {
  tally_.add(Fate::failed);
  const std::lock_guard lock(mutex_);
  if (found_) found_({kind, from, to, message});
}

} // namespace omnistore::jobs
