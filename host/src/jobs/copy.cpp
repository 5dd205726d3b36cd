// SPDX-License-Identifier: Apache-2.0
#include "jobs/copy.hpp"

#include <algorithm>

#include <boost/json/array.hpp>

#include "jobs/crew.hpp"

namespace omnistore::jobs {

namespace json = boost::json;

struct Copy::Work {
  Batch &batch;
  bool ours = false;       ///< a run that was cut off was at it
  std::vector<Item> items; ///< those that are written, the short ones first
  std::size_t held = 0;    ///< how many of them are short
  Counts counts{};
  std::vector<std::string> failed;

  void count(Fate fate, std::uint64_t number = 1) { counts[static_cast<std::size_t>(fate)] += number; }
};

Copy::Copy(const Endpoint &from, const Endpoint &to, CopyOptions options, OnProblem problem)
    : from_(from), to_(to), options_(std::move(options)), problem_(std::move(problem)),
      mapping_(options_.verb, from, to, options_.rewrite, options_.move),
      writer_(options_.verb, *to.storage, options_.on_conflict, options_.move), bytes_(options_.bytes_a_second),
      keys_(options_.keys_a_second) {
  if (options_.dry_run || options_.journal.empty()) return;
  log_.emplace(options_.journal, identity(from, to, options_), options_.start);
  tally_.add(log_->left().counts);
  own_ = keys_of_file(from, options_.journal);
}

json::object Copy::identity(const Endpoint &from, const Endpoint &to, const CopyOptions &options) {
  json::array rules;
  for (const auto &[pattern, replacement] : options.rewrite.rules()) rules.push_back(json::array{pattern, replacement});
  return {{"version", "1"},
          {"job", options.move ? "move" : "copy"},
          {"from", from.name},
          {"base", from.base},
          {"to", to.name},
          {"target", to.base},
          {"rewrite", std::move(rules)}};
}

bool Copy::run() {
  if (!work_off<Batch>(
          options_.workers, stop_, [this](Batch &batch) { work(batch); }, [this](const auto &put) { list(put); }))
    return false;
  if (log_ && failure_ == Status::ok) log_->finish();
  return true;
}

/// Cuts the listing into batches, those first that an earlier run left.
template <typename Put>
void Copy::list(const Put &put) {
  CopyLog::Left none;
  const CopyLog::Left &left = log_ ? log_->left() : none;
  for (std::size_t i = 0; i < left.batches.size(); ++i)
    if (!put({0, i + 1, left.batches[i]})) return;
  if (left.listed) return;
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  how.cursor = left.cursor;
  std::uint64_t number = 0;
  do {
    Page page;
    try {
      page = from_.storage->list(from_.base, how);
    } catch (const Error &error) {
      // A cursor may not outlive its store. What is done already is found to be so when it is met again.
      if (error.status() != Status::invalid || number != 0 || how.cursor.empty()) throw;
      how.cursor.clear();
      page = from_.storage->list(from_.base, how);
    }
    ++number;
    std::vector<std::string> keys;
    for (Page::Item &item : page.items)
      if (!left.known.contains(item.key) && !is_probe(item.key) &&
          std::find(own_.begin(), own_.end(), item.key) == own_.end())
        keys.push_back(std::move(item.key));
    for (const Skipped &place : page.skipped) {
      tally_.add(Fate::failed);
      Status first = Status::ok;
      failure_.compare_exchange_strong(first, place.status);
      tell(Error(place.status, place.message));
    }
    // A page that lacks something counts one batch more than it has, so that a run with --resume lists it again.
    const std::size_t batches = (keys.size() + batch_keys - 1) / batch_keys + (page.skipped.empty() ? 0 : 1);
    if (log_) log_->page(number, how.cursor, page.cursor, batches);
    for (std::size_t at = 0; at < keys.size(); at += batch_keys) {
      const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(at + batch_keys, keys.size()));
      if (!put({number, 0, {std::make_move_iterator(begin), std::make_move_iterator(end)}})) return;
    }
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty() && !stop_);
}

void Copy::work(Batch &batch) {
  keys_.take(batch.keys.size(), stop_);
  if (stop_) return;
  Work work{batch, batch.number != 0, {}, 0, {}, {}};
  if (log_ && !work.ours) batch.number = log_->begin(batch.page, batch.keys);
  prepare(work);
  send(work);
  if (!options_.dry_run && (options_.verify || options_.move)) check(work);
  for (Item &item : work.items) settle(work, item);
  work.count(Fate::listed, batch.keys.size());
  tally_.add(work.counts);
  if (log_) log_->done(batch.number, work.counts, work.failed);
}

/// Takes the values, and finds out where each goes. Keys with which there is nothing to do are settled.
void Copy::prepare(Work &work) {
  const std::vector<std::string> &keys = work.batch.keys;
  std::vector<Taken> taken = take(*from_.storage, keys);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Item item;
    item.from = keys[i];
    item.taken = std::move(taken[i]);
    item.ours = work.ours;
    try {
      item.key = mapping_.claim(item.from);
    } catch (const Error &error) {
      if (error.status() == Status::conflict && options_.on_conflict == OnConflict::fail && !options_.dry_run) throw;
      item.fail(error.status(), error.what());
      settle(work, item);
      continue;
    }
    switch (item.taken.state) {
    case Taken::State::gone:
      item.fate = Fate::gone;
      if (work.ours && options_.move && to_.storage->has(item.key, in_background)) {
        // A run that was cut off had moved it.
        item.fate = Fate::same;
      }
      settle(work, item, true);
      break;
    case Taken::State::failed:
      if (stops(item.taken.failure.status)) throw Error(item.taken.failure.status, item.taken.failure.message);
      item.fail(item.taken.failure.status, item.taken.failure.message);
      settle(work, item);
      break;
    default:
      if (mapping_.is_itself(item.from, item.key)) { // a rewrite that leaves it as it is
        item.fate = Fate::same;
        settle(work, item, true);
        break;
      }
      if (item.taken.state == Taken::State::held) bytes += item.taken.value.size();
      work.items.push_back(std::move(item));
    }
  }
  bytes_.take(bytes, stop_);
}

/// Writes what was taken: the short values together, each longer one by itself.
void Copy::send(Work &work) {
  const auto long_ones = std::partition(work.items.begin(), work.items.end(),
                                        [](const Item &item) { return item.taken.state == Taken::State::held; });
  work.held = static_cast<std::size_t>(long_ones - work.items.begin());
  const std::span<Item> together(work.items.data(), work.held);
  if (!together.empty()) options_.dry_run ? writer_.look(together) : writer_.write(together);
  for (auto item = long_ones; item != work.items.end(); ++item) send_long(*item);
}

void Copy::send_long(Item &item) {
  const auto passing = [this](std::size_t size) { bytes_.take(size, stop_); };
  if (item.taken.size > whole_value)
    return options_.dry_run ? writer_.look_long(*from_.storage, item)
                            : writer_.write_long(*from_.storage, item, passing);
  try {
    take_whole(*from_.storage, item.from, item.taken);
  } catch (const Error &error) {
    if (stops(error.status())) throw;
    return item.fail(error.status(), error.what());
  }
  if (item.taken.state == Taken::State::gone) return void(item.fate = Fate::gone);
  passing(item.taken.value.size());
  options_.dry_run ? writer_.look({&item, 1}) : writer_.write({&item, 1});
}

/// Reads back, each longer value by itself, and for a move takes away what is as it should be.
void Copy::check(Work &work) {
  writer_.check({work.items.data(), work.held});
  for (std::size_t i = work.held; i < work.items.size(); ++i) writer_.check({&work.items[i], 1});
  if (!options_.move) return;
  for (Item &item : work.items)
    if (item.fate == Fate::copied || item.fate == Fate::same) work.count(Fate::removed, take_away(item) ? 1 : 0);
}

/// Removes a source key whose copy is whole, unless its value has changed since: that is copied once more. False: it
/// was not there any more, or stays.
bool Copy::take_away(Item &item) {
  constexpr int most_tries = 5;
  Storage &source = *from_.storage;
  if (item.twin && !stands_apart(item)) return false;
  for (int tries = 0; tries < most_tries; ++tries) {
    try {
      RemoveOptions how;
      how.caller = &background;
      if (!item.taken.etag.empty() && etags_) {
        how.condition = {Condition::Kind::if_match, item.taken.etag};
        return source.remove(item.from, how);
      }
      if (unchanged(item)) return source.remove(item.from, how);
    } catch (const Error &error) {
      if (stops(error.status())) throw;
      if (error.status() == Status::unsupported && etags_) {
        etags_ = false;
        continue;
      }
      if (error.status() != Status::conflict) {
        item.fail(error.status(), options_.verb + " " + item.from + ": it was copied and stays: " + error.what());
        return false;
      }
    }
    if (!copy_again(item)) return false;
  }
  item.fail(Status::conflict, options_.verb + " " + item.from + ": it changes again and again, and stays");
  return false;
}

/// Whether a value that both ends have with the same etag is two values: if it is one that the target links to,
/// removing it would remove its only copy. It is, unless writing it at the target changes it at the source. A write
/// that parts a hard link changes the other name's etag too, but only once.
bool Copy::stands_apart(Item &item) {
  try {
    for (int tries = 0; tries < 2; ++tries) {
      writer_.renew(*from_.storage, item, [this](std::size_t size) { bytes_.take(size, stop_); });
      const std::optional<Meta> now = from_.storage->meta(item.from, {.caller = &background});
      if (item.fate != Fate::same || !now) return false;
      if (now->etag == item.taken.etag) return true;
      const std::string etag = std::exchange(item.taken.etag, now->etag);
      if (unchanged(item)) continue;
      item.taken.etag = etag; // another writer's value, so the key cannot be removed as it was copied
      return true;
    }
    item.fail(Status::invalid,
              options_.verb + " " + item.from + ": " + item.key + " is the same value under another name, so it stays");
  } catch (const Error &error) {
    if (stops(error.status())) throw;
    item.fail(error.status(), options_.verb + " " + item.from + ": it stays: " + error.what());
  }
  return false;
}

/// Whether the source has the value that was copied, for a source that cannot be asked to see to it.
bool Copy::unchanged(const Item &item) {
  Taken now;
  if (!item.digest.empty()) return digest_of(*from_.storage, item.from, now) == item.digest;
  take_whole(*from_.storage, item.from, now);
  return now.state == Taken::State::held && now.value == item.taken.value;
}

/// Replaces the copy by what the source has now. False: it has none any more, or it cannot be copied.
bool Copy::copy_again(Item &item) {
  Storage &source = *from_.storage;
  std::vector<Taken> taken = take(source, {&item.from, 1});
  if (taken[0].state == Taken::State::gone) return false;
  item.taken = std::move(taken[0]);
  item.digest.clear();
  item.replaces = true;
  if (item.taken.state == Taken::State::failed) {
    item.fail(item.taken.failure.status, item.taken.failure.message);
    return false;
  }
  if (item.taken.state == Taken::State::is_long)
    send_long(item);
  else
    writer_.write({&item, 1});
  writer_.check({&item, 1});
  return item.fate == Fate::copied || item.fate == Fate::same;
}

/// Counts what became of a key, and tells where it failed. `quietly`: it was no work.
void Copy::settle(Work &work, const Item &item, bool quietly) {
  work.count(item.fate);
  if (item.fate == Fate::copied) work.count(Fate::bytes, item.taken.size);
  if (quietly) return;
  if (item.fate == Fate::failed) {
    work.failed.push_back(item.from);
    Status none = Status::ok;
    failure_.compare_exchange_strong(none, item.failure.status);
    tell(Error(item.failure.status, item.failure.message));
  } else if (item.fate == Fate::conflict || item.fate == Fate::skipped) {
    tell(Error(Status::conflict, options_.verb + " " + item.from + ": " + item.key +
                                     " is there already, with another value" +
                                     (item.fate == Fate::skipped ? ", which is kept" : "")));
  }
}

void Copy::tell(const Error &problem) {
  const std::lock_guard lock(telling_);
  if (problem_) problem_(problem);
}

} // namespace omnistore::jobs
