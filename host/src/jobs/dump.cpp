// SPDX-License-Identifier: Apache-2.0
#include "jobs/dump.hpp"

#include <algorithm>

#include "jobs/worker_pool.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {
namespace {

/// Passes a long value to the dump.
class LongReader : public Reader {
public:
  LongReader(DumpWriter &dump, std::string_view key, const StoredValue &known, Rate &rate,
             const std::atomic<bool> &stop)
      : dump_(dump), key_(key), known_(known), rate_(rate), stop_(stop) {}

  char *begin(const Meta &meta) override {
    if (value_) throw Error(Status::io, "the store failed halfway and began again");
    known_.mtime = meta.mtime;
    known_.expiry = meta.expiry;
    value_.emplace(dump_, key_, known_);
    return nullptr;
  }
  void write(std::string_view bytes) override {
    rate_.take(bytes.size(), stop_);
    size += bytes.size();
    value_->add(bytes);
  }
  void end() {
    if (value_) value_->end();
  }

  std::uint64_t size = 0;

private:
  DumpWriter &dump_;
  const std::string_view key_;
  StoredValue known_;
  Rate &rate_;
  const std::atomic<bool> &stop_;
  std::optional<DumpWriter::Long> value_;
};

} // namespace

Dump::Dump(const Endpoint &from, DumpOptions options, DumpFile &out, const DumpPart *part, OnProblem problem)
    : from_(from), options_(options), part_(part), out_(out),
      writer_([&out](std::string_view bytes) { out.write(bytes); }, part ? part->sum : DumpSum()),
      bytes_(options.bytes_a_second), keys_(options.keys_a_second), problems_(std::move(problem)) {}

bool Dump::run() {
  if (!options_.dry_run && !(part_ && part_->resumed())) greet_restore();
  if (part_) {
    counters_.add(KeyOutcome::listed, part_->sum.entries);
    counters_.add(KeyOutcome::copied, part_->sum.entries);
    counters_.add(KeyOutcome::bytes, part_->sum.bytes);
  }
  if (!run_workers<Batch>(
          options_.workers, stop_, [this](Batch &batch) { work(batch); }, [this](const auto &submit) { list(submit); }))
    return false;
  if (!options_.dry_run) writer_.finish();
  return true;
}

/// Writes the first line. If a restore reads it at the other end of a pipe, finds out if it writes into what is dumped
/// (FORMAT.md has the handshake): each key that it writes would then be dumped and restored again, without an end.
void Dump::greet_restore() {
  const std::string id = writer_.header(from_.shown(), out_.is_pipe());
  if (!out_.is_pipe()) return;
  probe_ = restore_probe(id);
  if (!out_.await_restore(stop_)) return;
  writer_.handshake("look");
  if (!out_.await_restore(stop_)) return;
  if (const std::optional<SharedKeys> shared = find_restore(from_, id)) refuse_restore(*shared);
  writer_.handshake("apart");
}

void Dump::refuse_restore(const SharedKeys &shared) {
  const std::string message = "dump " + (from_.base.empty() ? "the whole storage" : from_.shown()) +
                              ": the restore that reads it writes into the same store: " + shared.target +
                              "KEY there is " + shared.source +
                              "KEY here, which would be dumped again; write the dump to a file first";
  writer_.handshake("shared", message);
  throw Error(Status::invalid, message);
}

template <typename Submit>
void Dump::list(const Submit &submit) {
  ListOptions how;
  how.caller = &background;
  how.limit = 8 * batch_keys;
  if (part_) how.cursor = part_->cursor;
  std::uint64_t number = 0;
  do {
    Page page = from_.storage->list(from_.base, how);
    std::vector<std::string> keys;
    for (const Page::Item &item : page.items)
      if (!probe_.empty() && item.key.ends_with(probe_)) // a restore that reads through other programs
        refuse_restore({item.key.substr(0, item.key.size() - probe_.size()), "the target's "});
    for (Page::Item &item : page.items)
      if (!options_.left_out.contains(item.key) && !is_probe(item.key) &&
          (!part_ || !part_->known.contains(item.key.substr(from_.base.size()))))
        keys.push_back(std::move(item.key));
    for (const Skipped &place : page.skipped) failed({place.status, place.message});
    {
      // An incomplete page has one batch more than it submits, so that a run with --resume lists it again.
      const std::lock_guard lock(mutex_);
      pages_[++number] = {(keys.size() + batch_keys - 1) / batch_keys + (page.skipped.empty() ? 0 : 1), page.cursor};
    }
    for (std::size_t at = 0; at < keys.size(); at += batch_keys) {
      Batch batch{number, {}};
      for (std::size_t i = at; i < std::min(at + batch_keys, keys.size()); ++i)
        batch.keys.push_back(std::move(keys[i]));
      if (!submit(std::move(batch))) return;
    }
    how.cursor = std::move(page.cursor);
  } while (!how.cursor.empty() && !stop_);
}

void Dump::work(Batch &batch) {
  keys_.take(batch.keys.size(), stop_);
  if (stop_) return;
  std::vector<StoredValue> values = read_values(*from_.storage, batch.keys);
  std::vector<std::string_view> keys;
  std::vector<const StoredValue *> loaded;
  std::uint64_t bytes = 0;
  std::vector<std::size_t> long_ones;
  counters_.add(KeyOutcome::listed, batch.keys.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].state == StoredValue::State::failed) failed(values[i].failure);
    if (values[i].state == StoredValue::State::absent) counters_.add(KeyOutcome::gone);
    if (values[i].state == StoredValue::State::is_long) long_ones.push_back(i);
    if (values[i].state != StoredValue::State::loaded) continue;
    keys.push_back(std::string_view(batch.keys[i]).substr(from_.base.size()));
    loaded.push_back(&values[i]);
    bytes += values[i].size;
  }
  bytes_.take(bytes, stop_);
  if (!options_.dry_run && !keys.empty()) writer_.entries(keys, loaded);
  counters_.add(KeyOutcome::copied, keys.size());
  counters_.add(KeyOutcome::bytes, bytes);
  for (const std::size_t i : long_ones) write_long(batch.keys[i], values[i]);
  done(batch.page);
}

/// Reports a value that cannot be read. Throws if the whole store may have failed; a later run can then resume.
void Dump::failed(const Outcome &outcome) {
  const Error problem(outcome.status, outcome.message);
  if (store_failed(outcome.status)) throw problem;
  counters_.add(KeyOutcome::failed);
  problems_.failed(problem);
}

void Dump::write_long(const std::string &key, const StoredValue &known) {
  const std::string_view relative = std::string_view(key).substr(from_.base.size());
  std::uint64_t size = known.size;
  if (!options_.dry_run && size > whole_value) {
    LongReader reader(writer_, relative, known, bytes_, stop_);
    if (!from_.storage->read(key, reader)) return counters_.add(KeyOutcome::gone);
    reader.end();
    size = reader.size;
  } else if (!options_.dry_run) {
    StoredValue whole = known;
    try {
      read_whole(*from_.storage, key, whole);
    } catch (const Error &error) {
      return failed({error.status(), error.what()});
    }
    if (whole.state == StoredValue::State::absent) return counters_.add(KeyOutcome::gone);
    size = whole.size;
    bytes_.take(size, stop_);
    const StoredValue *one = &whole;
    writer_.entries({&relative, 1}, {&one, 1});
  }
  counters_.add(KeyOutcome::copied);
  counters_.add(KeyOutcome::bytes, size);
}

/// Counts a written batch. If all pages up to a cursor are written, writes a checkpoint, at which a later run resumes.
void Dump::done(std::uint64_t page) {
  if (options_.dry_run || !part_) return;
  std::string cursor;
  const std::lock_guard lock(mutex_);
  --pages_[page].left;
  while (!pages_.empty() && pages_.begin()->second.left == 0) {
    cursor = std::move(pages_.begin()->second.next);
    pages_.erase(pages_.begin());
  }
  if (!cursor.empty()) writer_.checkpoint(cursor);
}

} // namespace omnistore::jobs
