// SPDX-License-Identifier: Apache-2.0
#include "jobs/writer.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace omnistore::jobs {

bool stops(Status status) {
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

constexpr int most_meetings = 5; ///< with others who write the same keys

bool has_ended(const Item &item) { return item.taken.expiry != 0 && item.taken.expiry <= now_ms(); }

} // namespace

SetOptions how_to_set(const Item &item, Condition::Kind kind) {
  SetOptions options;
  options.caller = &background;
  // The end is a moment, and goes along; the target's own ttl is for values that are set anew.
  const std::int64_t expiry = item.taken.expiry;
  options.ttl = std::chrono::milliseconds(expiry == 0 ? 0 : std::max<std::int64_t>(1, expiry - now_ms()));
  options.condition.kind = kind;
  options.user = item.taken.user;
  return options;
}

void Item::fail(Status status, std::string message) {
  fate = Fate::failed;
  failure.status = status;
  failure.message = std::move(message);
}

/// Notes a failure of one key, or throws one that is the job's.
void Writer::failed(Item &item, const Outcome &outcome) const {
  const std::string message = verb_ + " " + item.from + ": " + outcome.message;
  if (stops(outcome.status)) throw Error(outcome.status, message);
  item.fail(outcome.status, message);
}

void Writer::conflict(const Item &item) const {
  throw Error(Status::conflict,
              verb_ + " " + item.from + ": " + item.key + " is there already, with another value, which was kept");
}

// ------------------------------------------------------------------------------------------------------ short values

void Writer::write(std::span<Item> items) {
  Items direct, met;
  const bool looks = look_first_ || !conditional_;
  for (Item &item : items) {
    if (has_ended(item))
      item.fate = Fate::expired;
    else
      (looks || item.ours || item.replaces ? met : direct).push_back(&item);
  }
  if (!direct.empty()) {
    const Items there = set(direct, Condition::Kind::if_absent);
    if (conditional_) look_first_ = 2 * there.size() > direct.size();
    met.insert(met.end(), there.begin(), there.end());
  }
  if (!met.empty()) meet(met, 0);
}

/// Sets them; those whose condition did not hold are returned, and those whose condition the target does not keep.
Writer::Items Writer::set(const Items &items, Condition::Kind kind) {
  Items there;
  std::vector<SetItem> sets;
  sets.reserve(items.size());
  for (Item *item : items) sets.push_back({item->key, std::move(item->taken.value), how_to_set(*item, kind)});
  const std::vector<Outcome> outcomes = target_.set_many(sets, in_background);
  for (std::size_t i = 0; i < items.size(); ++i) items[i]->taken.value = std::move(sets[i].value);
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item &item = *items[i];
    const Outcome &outcome = outcomes[i];
    if (outcome.status == Status::ok) {
      item.fate = Fate::copied;
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
void Writer::set_known(const Item &item) {
  if (item.taken.user.empty())
    target_.remove(item.key + '$', {.caller = &background});
  else
    target_.set(item.key + '$', item.taken.user, {.caller = &background});
  target_.touch(item.key, *how_to_set(item, Condition::Kind::always).ttl, in_background);
}

bool Writer::same_value(const Item &item, Taken &there) {
  if (there.size != item.taken.value.size()) return false;
  if (there.state == Taken::State::is_long) take_whole(target_, item.key, there);
  return there.state == Taken::State::held && there.value == item.taken.value;
}

/// What becomes of an item that met a value. True: it takes its place.
bool Writer::settle(Item &item, const Taken &there, bool same_bytes) const {
  const bool as_it_is = same_bytes && same_meta(item.taken, there);
  if (as_it_is || (same_bytes && !item.ours && !strict_ && on_conflict_ != OnConflict::overwrite)) {
    item.fate = Fate::same;
    return false;
  }
  if (item.replaces || on_conflict_ == OnConflict::overwrite || (same_bytes && item.ours)) return true;
  if (on_conflict_ == OnConflict::fail) conflict(item);
  item.fate = Fate::skipped;
  return false;
}

/// Items whose keys have, or may have, a value at the target.
void Writer::meet(const Items &items, int tries) {
  std::vector<std::string> keys;
  for (const Item *item : items) keys.push_back(item->key);
  std::vector<Taken> found = take(target_, keys);
  Items absent, replacing;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item &item = *items[i];
    Taken &there = found[i];
    if (there.state == Taken::State::failed) {
      failed(item, there.failure);
    } else if (there.state == Taken::State::gone) {
      absent.push_back(&item);
    } else if (settle(item, there, same_value(item, there))) {
      replacing.push_back(&item);
    }
  }
  if (look_first_ && 2 * absent.size() > items.size()) look_first_ = false;
  if (!replacing.empty()) set(replacing, Condition::Kind::always);
  if (absent.empty()) return;
  const bool conditional = conditional_;
  Items again = set(absent, conditional ? Condition::Kind::if_absent : Condition::Kind::always);
  if (again.empty()) return;
  if (tries < most_meetings) return meet(again, tries + 1);
  for (Item *item : again) item->fail(Status::conflict, verb_ + " " + item->from + ": others write " + item->key);
}

void Writer::look(std::span<Item> items) {
  std::vector<std::string> keys;
  for (const Item &item : items) keys.push_back(item.key);
  std::vector<Taken> found = take(target_, keys);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (found[i].state == Taken::State::failed)
      failed(items[i], found[i].failure);
    else
      settle_look(items[i], found[i], found[i].state != Taken::State::gone && same_value(items[i], found[i]));
  }
}

void Writer::settle_look(Item &item, const Taken &there, bool same_bytes) const {
  if (has_ended(item))
    item.fate = Fate::expired;
  else if (there.state == Taken::State::gone)
    item.fate = Fate::copied;
  else if (on_conflict_ == OnConflict::fail && !(same_bytes && (!strict_ || same_meta(item.taken, there))))
    item.fate = Fate::conflict;
  else if (settle(item, there, same_bytes))
    item.fate = Fate::copied;
}

// ------------------------------------------------------------------------------------------------------- reading back

void Writer::check(std::span<Item> items) {
  Items written;
  std::vector<std::string> keys;
  for (Item &item : items)
    if (item.fate == Fate::copied || item.fate == Fate::same) {
      written.push_back(&item);
      keys.push_back(item.key);
    }
  if (written.empty()) return;
  std::vector<Taken> found = take(target_, keys);
  for (std::size_t i = 0; i < written.size(); ++i) {
    try {
      check_one(*written[i], found[i]);
    } catch (const Error &error) { // of a value that is read by itself
      if (stops(error.status())) throw;
      written[i]->fail(error.status(), verb_ + " " + written[i]->from + ": reading it back: " + error.what());
    }
  }
}

void Writer::check_one(Item &item, Taken &there) {
  if (there.state == Taken::State::failed) return failed(item, there.failure);
  const bool must_be_same = strict_ || item.fate == Fate::copied;
  if (there.state == Taken::State::gone && item.taken.expiry != 0 && item.taken.expiry <= now_ms() + 1000) {
    item.fate = Fate::expired;
    return;
  }
  const bool same = item.digest.empty() ? same_value(item, there) : digest_of(target_, item.key, there) == item.digest;
  const char *what = there.state == Taken::State::gone               ? "it is not there"
                     : !same                                         ? "it is another value"
                     : must_be_same && !same_meta(item.taken, there) ? "its expiry or the user's meta is another"
                                                                     : nullptr;
  item.twin = item.fate == Fate::same && !there.etag.empty() && there.etag == item.taken.etag;
  if (what) item.fail(Status::corrupt, verb_ + " " + item.from + ": read back from " + item.key + " " + what);
}

} // namespace omnistore::jobs
