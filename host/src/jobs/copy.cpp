// SPDX-License-Identifier: Apache-2.0
#include "jobs/copy.hpp"

#include <algorithm>

#include <boost/json/array.hpp>

#include "jobs/worker_pool.hpp"

namespace omnistore::jobs {

namespace json = boost::json;

struct Copy::Work {
  Batch &batch;
  bool ours = false;       ///< an interrupted run had started it
  std::vector<Item> items; ///< the items to write, the short ones first
  std::size_t short_count = 0;
  Counts counts{};
  std::vector<std::string> failed;
};

Copy::Copy(const Endpoint &from, const Endpoint &to, CopyOptions options, OnProblem problem)
    : from_(from), to_(to), options_(std::move(options)), problems_(std::move(problem)),
      mapping_(options_.verb, from, to, options_.rewrite, options_.move),
      writer_(options_.verb, *to.storage, options_.on_conflict, options_.move), bytes_(options_.bytes_a_second),
      keys_(options_.keys_a_second) {
  if (options_.dry_run || options_.journal.empty()) return;
  log_.emplace(options_.journal, identity(from, to, options_), options_.start);
  counters_.add(log_->remaining().counts);
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
  if (!run_workers<Batch>(
          options_.workers, stop_, [this](Batch &batch) { work(batch); }, [this](const auto &submit) { list(submit); }))
    return false;
  if (log_ && failure() == Status::ok) log_->finish();
  return true;
}

/// Submits the batches that an earlier run left, and then those of the listing.
template <typename Submit>
void Copy::list(const Submit &submit) {
  CopyLog::Remaining none;
  const CopyLog::Remaining &remaining = log_ ? log_->remaining() : none;
  for (std::size_t i = 0; i < remaining.batches.size(); ++i)
    if (!submit({0, i + 1, remaining.batches[i]})) return;
  if (remaining.listed) return;
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  how.cursor = remaining.cursor;
  std::uint64_t number = 0;
  do {
    Page page;
    try {
      page = from_.storage->list(from_.base, how);
    } catch (const Error &error) {
      // A cursor need not outlive its store. Keys that were done are then listed again and found to be the same.
      if (error.status() != Status::invalid || number != 0 || how.cursor.empty()) throw;
      how.cursor.clear();
      page = from_.storage->list(from_.base, how);
    }
    ++number;
    std::vector<std::string> keys;
    for (Page::Item &item : page.items)
      if (!remaining.known.contains(item.key) && !is_probe(item.key) &&
          std::find(own_.begin(), own_.end(), item.key) == own_.end())
        keys.push_back(std::move(item.key));
    for (const Skipped &place : page.skipped) {
      counters_.add(KeyOutcome::failed);
      problems_.failed(Error(place.status, place.message));
    }
    // An incomplete page has one batch more than it submits, so that a run with --resume lists it again.
    const std::size_t batches = (keys.size() + batch_keys - 1) / batch_keys + (page.skipped.empty() ? 0 : 1);
    if (log_) log_->page(number, how.cursor, page.cursor, batches);
    for (std::size_t at = 0; at < keys.size(); at += batch_keys) {
      const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(at + batch_keys, keys.size()));
      if (!submit({number, 0, {std::make_move_iterator(begin), std::make_move_iterator(end)}})) return;
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
  for (Item &item : work.items) record(work, item);
  count(work.counts, KeyOutcome::listed, batch.keys.size());
  counters_.add(work.counts);
  if (log_) log_->done(batch.number, work.counts, work.failed);
}

/// Reads the values and maps their keys. Records the outcome of keys that need no work.
void Copy::prepare(Work &work) {
  const std::vector<std::string> &keys = work.batch.keys;
  std::vector<StoredValue> values = read_values(*from_.storage, keys);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Item item;
    item.from = keys[i];
    item.value = std::move(values[i]);
    item.maybe_ours = work.ours;
    try {
      item.key = mapping_.claim(item.from);
    } catch (const Error &error) {
      if (error.status() == Status::conflict && options_.on_conflict == OnConflict::fail && !options_.dry_run) throw;
      item.fail(error.status(), error.what());
      record(work, item);
      continue;
    }
    switch (item.value.state) {
    case StoredValue::State::absent:
      item.outcome = KeyOutcome::gone;
      if (work.ours && options_.move && to_.storage->has(item.key, in_background)) {
        // An interrupted run had moved it.
        item.outcome = KeyOutcome::same;
      }
      record(work, item, true);
      break;
    case StoredValue::State::failed:
      if (ends_job(item.value.failure.status)) throw Error(item.value.failure.status, item.value.failure.message);
      item.fail(item.value.failure.status, item.value.failure.message);
      record(work, item);
      break;
    default:
      if (mapping_.is_itself(item.from, item.key)) { // the rewrite does not change it
        item.outcome = KeyOutcome::same;
        record(work, item, true);
        break;
      }
      if (item.value.state == StoredValue::State::loaded) bytes += item.value.bytes.size();
      work.items.push_back(std::move(item));
    }
  }
  bytes_.take(bytes, stop_);
}

/// Writes the values: the short ones together, each longer one by itself.
void Copy::send(Work &work) {
  const auto long_ones = std::partition(work.items.begin(), work.items.end(), [](const Item &item) {
    return item.value.state == StoredValue::State::loaded;
  });
  work.short_count = static_cast<std::size_t>(long_ones - work.items.begin());
  const std::span<Item> together(work.items.data(), work.short_count);
  if (!together.empty()) options_.dry_run ? writer_.preview(together) : writer_.write(together);
  for (auto item = long_ones; item != work.items.end(); ++item) send_long(*item);
}

void Copy::send_long(Item &item) {
  const auto passing = [this](std::size_t size) { bytes_.take(size, stop_); };
  if (item.value.size > whole_value)
    return options_.dry_run ? writer_.preview_long(*from_.storage, item)
                            : writer_.write_long(*from_.storage, item, passing);
  try {
    read_whole(*from_.storage, item.from, item.value);
  } catch (const Error &error) {
    if (ends_job(error.status())) throw;
    return item.fail(error.status(), error.what());
  }
  if (item.value.state == StoredValue::State::absent) return void(item.outcome = KeyOutcome::gone);
  passing(item.value.bytes.size());
  options_.dry_run ? writer_.preview({&item, 1}) : writer_.write({&item, 1});
}

/// Reads the copies back, each longer value by itself. A move then removes the sources of good copies.
void Copy::check(Work &work) {
  writer_.check({work.items.data(), work.short_count});
  for (std::size_t i = work.short_count; i < work.items.size(); ++i) writer_.check({&work.items[i], 1});
  if (!options_.move) return;
  for (Item &item : work.items)
    if (item.outcome == KeyOutcome::copied || item.outcome == KeyOutcome::same)
      count(work.counts, KeyOutcome::removed, remove_source(item) ? 1 : 0);
}

/// Removes a source key whose copy is good. If its value has changed, copies it again first. Returns false if the key
/// was gone or stays.
bool Copy::remove_source(Item &item) {
  constexpr int most_tries = 5;
  Storage &source = *from_.storage;
  if (item.same_etag && !is_separate(item)) return false;
  for (int tries = 0; tries < most_tries; ++tries) {
    try {
      RemoveOptions how;
      how.caller = &background;
      if (!item.value.etag.empty() && etags_) {
        how.condition = {Condition::Kind::if_match, item.value.etag};
        return source.remove(item.from, how);
      }
      if (unchanged(item)) return source.remove(item.from, how);
    } catch (const Error &error) {
      if (ends_job(error.status())) throw;
      if (error.status() == Status::unsupported && etags_) {
        etags_ = false;
        continue;
      }
      if (error.status() != Status::conflict) {
        item.fail(error.status(), options_.verb + " " + item.from + ": it was copied but not removed: " + error.what());
        return false;
      }
    }
    if (!copy_again(item)) return false;
  }
  item.fail(Status::conflict, options_.verb + " " + item.from + ": its value keeps changing, so it was not removed");
  return false;
}

/// Returns true if a value that both ends have with the same etag is two values. If the target only links to it, its
/// removal would remove the only copy. The values are one if a write at the target changes the source. A write that
/// breaks a hard link changes the source's etag too, but only once.
bool Copy::is_separate(Item &item) {
  try {
    for (int tries = 0; tries < 2; ++tries) {
      writer_.rewrite(*from_.storage, item, [this](std::size_t size) { bytes_.take(size, stop_); });
      const std::optional<Meta> now = from_.storage->meta(item.from, {.caller = &background});
      if (item.outcome != KeyOutcome::same || !now) return false;
      if (now->etag == item.value.etag) return true;
      const std::string etag = std::exchange(item.value.etag, now->etag);
      if (unchanged(item)) continue;
      item.value.etag = etag; // another writer changed it, so that the removal will fail
      return true;
    }
    item.fail(Status::invalid, options_.verb + " " + item.from + ": " + item.key +
                                   " is the same value under another name, so it was not removed");
  } catch (const Error &error) {
    if (ends_job(error.status())) throw;
    item.fail(error.status(), options_.verb + " " + item.from + ": it was not removed: " + error.what());
  }
  return false;
}

/// Returns true if the source still has the value that was copied. For a source without if-match.
bool Copy::unchanged(const Item &item) {
  StoredValue now;
  if (!item.digest.empty()) return digest_of(*from_.storage, item.from, now) == item.digest;
  read_whole(*from_.storage, item.from, now);
  return now.state == StoredValue::State::loaded && now.bytes == item.value.bytes;
}

/// Replaces the copy by the present value of the source. Returns false if there is none, or if the copy fails.
bool Copy::copy_again(Item &item) {
  Storage &source = *from_.storage;
  std::vector<StoredValue> values = read_values(source, {&item.from, 1});
  if (values[0].state == StoredValue::State::absent) return false;
  item.value = std::move(values[0]);
  item.digest.clear();
  item.replaces = true;
  if (item.value.state == StoredValue::State::failed) {
    item.fail(item.value.failure.status, item.value.failure.message);
    return false;
  }
  if (item.value.state == StoredValue::State::is_long)
    send_long(item);
  else
    writer_.write({&item, 1});
  writer_.check({&item, 1});
  return item.outcome == KeyOutcome::copied || item.outcome == KeyOutcome::same;
}

/// Counts the outcome of a key, and reports it if it failed. With `quietly`, reports nothing.
void Copy::record(Work &work, const Item &item, bool quietly) {
  count(work.counts, item.outcome);
  if (item.outcome == KeyOutcome::copied) count(work.counts, KeyOutcome::bytes, item.value.size);
  if (quietly) return;
  if (item.outcome == KeyOutcome::failed) {
    work.failed.push_back(item.from);
    problems_.failed(Error(item.failure.status, item.failure.message));
  } else if (item.outcome == KeyOutcome::conflict || item.outcome == KeyOutcome::skipped) {
    problems_.report(conflict_error(options_.verb, item));
  }
}

} // namespace omnistore::jobs
