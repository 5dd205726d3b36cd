// SPDX-License-Identifier: Apache-2.0
#include "jobs/writer.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "jobs/endpoint.hpp"

namespace omnistore::jobs {

bool ends_job(Status status) {
  switch (status) {
  case Status::denied:
  case Status::read_only:
  case Status::timeout:
  case Status::cancelled:
  case Status::unavailable:
  case Status::no_space:
    return true;
  default:
    return false;
  }
}

namespace {

constexpr int max_conflicts = 5; ///< with other writers of the same keys

bool has_ended(const Item &item) { return item.value.expiry != 0 && item.value.expiry <= now_ms(); }

} // namespace

SetOptions set_options(const Item &item, Condition::Kind kind) {
  SetOptions options;
  options.caller = &background;
  // The expiry is copied as a moment. The target's default ttl is only for new values.
  const std::int64_t expiry = item.value.expiry;
  options.ttl = std::chrono::milliseconds(expiry == 0 ? 0 : std::max<std::int64_t>(1, expiry - now_ms()));
  options.condition.kind = kind;
  options.user = item.value.user;
  return options;
}

Error conflict_error(const std::string &verb, const Item &item) {
  const char *kept = item.outcome == KeyOutcome::conflict ? "" : ", which was kept";
  return Error(Status::conflict, verb + " " + item.from + ": " + item.key + " already has another value" + kept);
}

void Item::fail(Status status, std::string message) {
  outcome = KeyOutcome::failed;
  failure.status = status;
  failure.message = std::move(message);
}

/// Records the failure of one key, or throws if it ends the job.
void Writer::failed(Item &item, const Outcome &outcome) const {
  const std::string message = verb_ + " " + item.from + ": " + outcome.message;
  if (ends_job(outcome.status)) throw Error(outcome.status, message);
  item.fail(outcome.status, message);
}

// ------------------------------------------------------------------------------------------------------ short values

void Writer::write(std::span<Item> items) {
  Items direct, met;
  const bool looks = check_first_ || !conditional_;
  for (Item &item : items) {
    if (has_ended(item))
      item.outcome = KeyOutcome::expired;
    else
      (looks || item.maybe_ours || item.replaces ? met : direct).push_back(&item);
  }
  if (!direct.empty()) {
    const Items there = set(direct, Condition::Kind::if_absent);
    if (conditional_) check_first_ = 2 * there.size() > direct.size();
    met.insert(met.end(), there.begin(), there.end());
  }
  if (!met.empty()) resolve_existing(met, 0);
}

/// Sets the items. Returns those whose condition did not hold, or is not supported by the target.
Writer::Items Writer::set(const Items &items, Condition::Kind kind) {
  Items there;
  std::vector<SetItem> sets;
  sets.reserve(items.size());
  for (Item *item : items) sets.push_back({item->key, std::move(item->value.bytes), set_options(*item, kind)});
  const std::vector<Outcome> outcomes = target_.set_many(sets, in_background);
  for (std::size_t i = 0; i < items.size(); ++i) items[i]->value.bytes = std::move(sets[i].value);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item &item = *items[i];
    const Outcome &outcome = outcomes[i];
    if (outcome.status == Status::ok) {
      item.outcome = KeyOutcome::copied;
    } else if (kind == Condition::Kind::if_absent &&
               (outcome.status == Status::conflict || outcome.status == Status::unsupported)) {
      if (outcome.status == Status::unsupported) conditional_ = false;
      there.push_back(&item);
    } else {
      failed(item, outcome);
    }
  }
  return there;
}

/// For a value that is at the target already: the expiry and the user's meta of the item.
void Writer::set_meta(const Item &item) {
  if (item.value.user.empty())
    target_.remove(item.key + '$', {.caller = &background});
  else
    target_.set(item.key + '$', item.value.user, {.caller = &background});
  target_.touch(item.key, *set_options(item, Condition::Kind::always).ttl, in_background);
}

bool Writer::same_value(const Item &item, StoredValue &there) {
  if (there.size != item.value.bytes.size()) return false;
  if (there.state == StoredValue::State::is_long) read_whole(target_, item.key, there);
  return there.state == StoredValue::State::loaded && there.bytes == item.value.bytes;
}

/// Decides the outcome of an item whose key has a value. Returns true if the item replaces that value.
bool Writer::resolve(Item &item, const StoredValue &there, bool same_bytes) const {
  const bool as_it_is = same_bytes && same_meta(item.value, there);
  if (as_it_is || (same_bytes && !item.maybe_ours && !strict_ && on_conflict_ != OnConflict::overwrite)) {
    item.outcome = KeyOutcome::same;
    return false;
  }
  if (item.replaces || on_conflict_ == OnConflict::overwrite || (same_bytes && item.maybe_ours)) return true;
  if (on_conflict_ == OnConflict::fail) throw conflict_error(verb_, item);
  item.outcome = KeyOutcome::skipped;
  return false;
}

/// Writes items whose keys have, or may have, a value at the target.
void Writer::resolve_existing(const Items &items, int tries) {
  std::vector<std::string> keys;
  for (const Item *item : items) keys.push_back(item->key);
  std::vector<StoredValue> found = read_values(target_, keys);
  Items absent, replacing;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item &item = *items[i];
    StoredValue &there = found[i];
    if (there.state == StoredValue::State::failed) {
      failed(item, there.failure);
    } else if (there.state == StoredValue::State::absent) {
      absent.push_back(&item);
    } else if (resolve(item, there, same_value(item, there))) {
      replacing.push_back(&item);
    }
  }
  if (check_first_ && 2 * absent.size() > items.size()) check_first_ = false;
  if (!replacing.empty()) set(replacing, Condition::Kind::always);
  if (absent.empty()) return;
  const bool conditional = conditional_;
  Items again = set(absent, conditional ? Condition::Kind::if_absent : Condition::Kind::always);
  if (again.empty()) return;
  if (tries < max_conflicts) return resolve_existing(again, tries + 1);
  for (Item *item : again)
    item->fail(Status::conflict, verb_ + " " + item->from + ": others keep writing " + item->key);
}

void Writer::preview(std::span<Item> items) {
  std::vector<std::string> keys;
  for (const Item &item : items) keys.push_back(item.key);
  std::vector<StoredValue> found = read_values(target_, keys);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (found[i].state == StoredValue::State::failed)
      failed(items[i], found[i].failure);
    else
      resolve_preview(items[i], found[i],
                      found[i].state != StoredValue::State::absent && same_value(items[i], found[i]));
  }
}

void Writer::resolve_preview(Item &item, const StoredValue &there, bool same_bytes) const {
  if (has_ended(item))
    item.outcome = KeyOutcome::expired;
  else if (there.state == StoredValue::State::absent)
    item.outcome = KeyOutcome::copied;
  else if (on_conflict_ == OnConflict::fail && !(same_bytes && (!strict_ || same_meta(item.value, there))))
    item.outcome = KeyOutcome::conflict;
  else if (resolve(item, there, same_bytes))
    item.outcome = KeyOutcome::copied;
}

// ------------------------------------------------------------------------------------------------------- reading back

void Writer::check(std::span<Item> items) {
  Items written;
  std::vector<std::string> keys;
  for (Item &item : items)
    if (item.outcome == KeyOutcome::copied || item.outcome == KeyOutcome::same) {
      written.push_back(&item);
      keys.push_back(item.key);
    }
  if (written.empty()) return;
  std::vector<StoredValue> found = read_values(target_, keys);
  for (std::size_t i = 0; i < written.size(); ++i) {
    try {
      check_one(*written[i], found[i]);
    } catch (const Error &error) { // a value that is read by itself
      if (ends_job(error.status())) throw;
      written[i]->fail(error.status(), verb_ + " " + written[i]->from + ": reading it back: " + error.what());
    }
  }
}

void Writer::check_one(Item &item, StoredValue &there) {
  if (there.state == StoredValue::State::failed) return failed(item, there.failure);
  const bool must_be_same = strict_ || item.outcome == KeyOutcome::copied;
  if (there.state == StoredValue::State::absent && item.value.expiry != 0 && item.value.expiry <= now_ms() + 1000) {
    item.outcome = KeyOutcome::expired;
    return;
  }
  const bool same = item.digest.empty() ? same_value(item, there) : digest_of(target_, item.key, there) == item.digest;
  const char *what = there.state == StoredValue::State::absent       ? "it is missing"
                     : !same                                         ? "the value differs"
                     : must_be_same && !same_meta(item.value, there) ? "its expiry or user meta differs"
                                                                     : nullptr;
  item.same_etag = item.outcome == KeyOutcome::same && !there.etag.empty() && there.etag == item.value.etag;
  if (what) item.fail(Status::corrupt, verb_ + " " + item.from + ": read back from " + item.key + " " + what);
}

} // namespace omnistore::jobs
