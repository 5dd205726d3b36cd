// SPDX-License-Identifier: Apache-2.0
#include "jobs/verify.hpp"

#include <algorithm>

#include "jobs/digest.hpp"
#include "jobs/worker_pool.hpp"

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
    return run_workers<Batch>(
        options_.workers, stop_, [this](Batch &batch) { work(batch); },
        [&](const auto &submit) { list(end, backwards, submit); });
  };
  if (!compare(from_, false)) return false;
  // If the target has as many keys as were found there, it has no others.
  std::uint64_t listed = 0;
  list(to_, true, [&](Batch &&batch) { return listed += batch.keys.size(), !stop_; });
  if (stop_) return false;
  if (listed == both_ && options_.rewrite.empty()) return true;
  return compare(to_, true);
}

template <typename Submit>
void Verify::list(const Endpoint &end, bool backwards, const Submit &submit) {
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  do {
    Page page = end.storage->list(end.base, how);
    for (const Skipped &place : page.skipped) {
      if (!skipped_.insert(place.message).second) continue;
      Status first = Status::ok;
      failure_.compare_exchange_strong(first, place.status);
      report(Difference::Kind::unreadable, backwards ? "" : place.base, place.base, place.message);
    }
    for (std::size_t at = 0; at < page.items.size(); at += batch_keys) {
      Batch batch{backwards, {}};
      for (std::size_t i = at; i < std::min(at + batch_keys, page.items.size()); ++i)
        batch.keys.push_back(std::move(page.items[i].key));
      if (!submit(std::move(batch))) return;
    }
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty() && !stop_);
}

void Verify::work(Batch &batch) {
  keys_.take(batch.keys.size(), stop_);
  if (stop_) return;
  if (batch.backwards) return compare_extra(batch.keys);
  std::vector<std::string> targets;
  for (const std::string &key : batch.keys) targets.push_back(mapping_.target(key));
  if (!options_.rewrite.empty()) {
    const std::lock_guard lock(mutex_);
    for (const std::string &key : targets) targets_.insert(std::hash<std::string>()(key));
  }
  std::vector<StoredValue> ones = read_values(*from_.storage, batch.keys), others = read_values(*to_.storage, targets);
  for (std::size_t i = 0; i < ones.size(); ++i) compare(batch.keys[i], targets[i], ones[i], others[i]);
}

/// Reports the keys of the target that the source does not have.
void Verify::compare_extra(const std::vector<std::string> &keys) {
  for (const std::string &key : keys) {
    if (options_.rewrite.empty()) {
      const std::string source = from_.base + key.substr(to_.base.size());
      try {
        if (!from_.storage->has(source, in_background)) report(Difference::Kind::extra, "", key);
      } catch (const Error &error) {
        unreadable(error, source, key);
      }
    } else if (!targets_.contains(std::hash<std::string>()(key))) { // no thread adds to them any more
      report(Difference::Kind::extra, "", key);
    }
  }
}

void Verify::compare(const std::string &from, const std::string &to, StoredValue &one, StoredValue &other) {
  for (const StoredValue *side : {&one, &other})
    if (side->state == StoredValue::State::failed) {
      if (other.state != StoredValue::State::absent) ++both_; // the target has it, and so has the source
      return unreadable(Error(side->failure.status, side->failure.message), from, to);
    }
  if (one.state == StoredValue::State::absent) return; // removed after it was listed
  counters_.add(KeyOutcome::listed);
  if (other.state == StoredValue::State::absent) return report(Difference::Kind::missing, from, to);
  ++both_;
  counters_.add(KeyOutcome::bytes, one.size);
  try {
    if (!same_bytes(from, to, one, other)) return report(Difference::Kind::different, from, to);
  } catch (const Error &error) { // of a long value, which is read only now
    return unreadable(error, from, to);
  }
  if (options_.meta && !same_meta(one, other)) return report(Difference::Kind::meta, from, to);
  counters_.add(KeyOutcome::same);
}

bool Verify::same_bytes(const std::string &from, const std::string &to, StoredValue &one, StoredValue &other) {
  bytes_.take(one.size, stop_);
  if (one.size != other.size) return false;
  if (one.state == StoredValue::State::loaded) return one.bytes == other.bytes;
  const std::string first = digest_of(*from_.storage, from, one);
  return !first.empty() && first == digest_of(*to_.storage, to, other);
}

/// Reports a value that cannot be read. Throws if the whole store may have failed.
void Verify::unreadable(const Error &error, const std::string &from, const std::string &to) {
  if (store_failed(error.status())) throw error;
  report(Difference::Kind::unreadable, from, to, error.what());
}

void Verify::report(Difference::Kind kind, const std::string &from, const std::string &to, const std::string &message) {
  counters_.add(KeyOutcome::failed);
  const std::lock_guard lock(mutex_);
  if (found_) found_({kind, from, to, message});
}

} // namespace omnistore::jobs
