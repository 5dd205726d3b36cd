// SPDX-License-Identifier: Apache-2.0
#include "jobs/restore.hpp"

#include <algorithm>
#include <cstring>

#include <boost/json/array.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

#include "jobs/worker_pool.hpp"

namespace omnistore::jobs {

namespace json = boost::json;

// --------------------------------------------------------------------------------------------------------- the journal

RestoreLog::RestoreLog(const std::string &file, const json::object &identity, Journal::Start start)
    : journal_(file, identity, start, [this](json::object &record) { read(record); }) {
  for (const auto &[number, lines] : batches_) started_.insert(lines);
  batches_.clear();
}

void RestoreLog::read(json::object &record) {
  if (const json::value *batch = record.if_contains("batch")) {
    const auto number = json::value_to<std::uint64_t>(*batch);
    batches_[number] = {json::value_to<std::uint64_t>(record.at("first")),
                        json::value_to<std::uint64_t>(record.at("last"))};
    next_batch_ = std::max(next_batch_, number + 1);
    return;
  }
  const auto found = batches_.extract(json::value_to<std::uint64_t>(record.at("done")));
  const Counts counts = json::value_to<Counts>(record.at("counts"));
  for (std::size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
  if (found.empty()) return;
  auto [first, last] = found.mapped();
  // Lines that failed are tried again.
  for (const auto line : json::value_to<std::vector<std::uint64_t>>(record.at("failed"))) {
    if (line > first) done_[first] = line - 1;
    first = line + 1;
  }
  if (first <= last) done_[first] = last;
}

bool RestoreLog::within(const Ranges &ranges, std::uint64_t line) {
  auto after = ranges.upper_bound(line);
  return after != ranges.begin() && line <= std::prev(after)->second;
}

std::uint64_t RestoreLog::begin(std::uint64_t first, std::uint64_t last) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = next_batch_++;
  }
  journal_.append({{"batch", number}, {"first", first}, {"last", last}});
  return number;
}

void RestoreLog::done(std::uint64_t batch, const Counts &counts, const std::vector<std::uint64_t> &failed) {
  journal_.append({{"done", batch}, {"counts", json::value_from(counts)}, {"failed", json::value_from(failed)}});
}

// ------------------------------------------------------------------------------------------------------------- the job

namespace {

/// Reads the parts of a long value as a source. If the checksum is wrong, it throws at the end, so that the set fails.
class Parts : public Source {
public:
  Parts(DumpReader &dump, std::function<void(std::size_t)> passing) : dump_(dump), passing_(std::move(passing)) {}

  std::size_t read(char *into, std::size_t capacity) override {
    while (at_ == part_.size() && !ended_) {
      at_ = 0;
      ended_ = !dump_.part(part_);
      passing_(part_.size());
    }
    const std::size_t given = std::min(capacity, part_.size() - at_);
    std::memcpy(into, part_.data() + at_, given);
    digest.add({into, given});
    at_ += given;
    size += given;
    return given;
  }

  Digest digest;
  std::uint64_t size = 0;

private:
  DumpReader &dump_;
  const std::function<void(std::size_t)> passing_;
  std::string part_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

constexpr std::uint64_t batch_bytes = 4 * 1024 * 1024;

} // namespace

struct Restore::BatchResult {
  Counts counts{};
  std::vector<std::uint64_t> failed;
};

Restore::Restore(DumpReader &dump, const Endpoint &to, CopyOptions options, OnProblem problem)
    : dump_(dump), to_(to), options_(std::move(options)), problems_(std::move(problem)),
      mapping_("restore", to, options_.rewrite), writer_("restore", *to.storage, options_.on_conflict, options_.verify),
      bytes_(options_.bytes_a_second), keys_(options_.keys_a_second) {
  if (options_.from_pipe && dump.wants_handshake()) {
    probes_.emplace(to, dump.id(), dump.base());
    if (const std::string refusal = dump.settle_handshake(); !refusal.empty())
      throw Error(Status::invalid, "restore: refused by the " + refusal);
  }
  if (!options_.dump_file.empty()) own_ = keys_of_file(to, options_.dump_file);
  if (options_.dry_run || options_.journal.empty()) return;
  log_.emplace(options_.journal, identity(dump, to, options_), options_.start);
  counters_.add(log_->counts());
  const std::vector<std::string> journal = keys_of_file(to, options_.journal);
  own_.insert(own_.end(), journal.begin(), journal.end());
}

json::object Restore::identity(const DumpReader &dump, const Endpoint &to, const CopyOptions &options) {
  json::array rules;
  for (const auto &[pattern, replacement] : options.rewrite.rules()) rules.push_back(json::array{pattern, replacement});
  return {{"version", "1"}, {"job", "restore"},  {"dump", dump.first_line()},
          {"to", to.name},  {"target", to.base}, {"rewrite", std::move(rules)}};
}

bool Restore::run() {
  if (!run_workers<Batch>(
          options_.workers, stop_, [this](Batch &batch) { work(batch); }, [this](const auto &submit) { read(submit); }))
    return false;
  if (log_ && failure() == Status::ok) log_->finish();
  return true;
}

/// Reads the dump to its end and submits the entries to write.
template <typename Submit>
void Restore::read(const Submit &submit) {
  DumpReader::Line line;
  Batch batch;
  const auto submit_batch = [&] { return batch.items.empty() || submit(std::exchange(batch, {})); };
  // The journal records the first and the last line of a batch, so that all lines between them must belong to it.
  while (!stop_ && dump_.next(line)) {
    switch (line.kind) {
    case DumpReader::Line::Kind::damaged:
      problems_.failed(Error(Status::corrupt, line.problem));
      if (!submit_batch() || line.is_last) return;
      break;
    case DumpReader::Line::Kind::handshake:
      if (!line.problem.empty()) throw Error(Status::invalid, "restore: refused by the " + line.problem);
      break;
    case DumpReader::Line::Kind::checkpoint:
    case DumpReader::Line::Kind::other:
      break;
    case DumpReader::Line::Kind::end:
      submit_batch();
      return;
    case DumpReader::Line::Kind::long_entry:
      if (!submit_batch()) return;
      restore_long(line);
      break;
    case DumpReader::Line::Kind::entry: {
      Item item;
      if (log_ && log_->is_done(line.number)) break;
      if (!make_item(line, item)) {
        if (!submit_batch()) return;
        break;
      }
      batch.bytes += item.value.size;
      batch.items.push_back(std::move(item));
      batch.lines.push_back(line.number);
      if ((batch.items.size() >= batch_keys || batch.bytes >= batch_bytes) && !submit_batch()) return;
    }
    }
  }
  submit_batch();
  if (!stop_)
    problems_.failed(Error(Status::corrupt, "dump " + dump_.name() + " was cut off: it ends after line " +
                                                std::to_string(dump_.sum().lines) + ", and its last line is missing"));
}

/// Makes an item of an entry. Returns false if the key is not possible, which it reports.
bool Restore::make_item(DumpReader::Line &line, Item &item) {
  item.from = line.key;
  item.value = std::move(line.value);
  item.maybe_ours = log_ && log_->was_started(line.number);
  try {
    item.key = mapping_.claim(line.key);
    if (std::find(own_.begin(), own_.end(), item.key) != own_.end())
      throw Error(Status::invalid, "restore " + line.key + ": " + item.key + " is a file that this restore uses");
    return true;
  } catch (const Error &error) {
    if (error.status() == Status::conflict && options_.on_conflict == OnConflict::fail && !options_.dry_run) throw;
    counters_.add(KeyOutcome::listed);
    counters_.add(KeyOutcome::failed);
    problems_.failed(Error(error.status(), dump_.place(line.number) + ": " + error.what()));
    return false;
  }
}

/// Restores a long value on the reading thread, since its lines follow each other.
void Restore::restore_long(DumpReader::Line &line) {
  const std::uint64_t number = line.number;
  if (log_ && log_->is_done(number)) return dump_.skip_long();
  Item item;
  if (!make_item(line, item)) return dump_.skip_long();
  const std::uint64_t batch = log_ ? log_->begin(number, number) : 0;
  keys_.take(1, stop_);
  BatchResult result;
  try {
    send_long(item);
  } catch (const Error &error) {
    if (error.status() != Status::corrupt) throw;
    item.fail(error.status(), error.what());
  }
  if (options_.verify && !options_.dry_run) writer_.check({&item, 1});
  record(result, item, number);
  counters_.add(result.counts);
  if (log_) log_->done(batch, result.counts, result.failed);
}

void Restore::send_long(Item &item) {
  Parts parts(dump_, [this](std::size_t size) { bytes_.take(size, stop_); });
  if (!options_.dry_run && writer_.must_send(item)) {
    writer_.send_stream(parts, item);
    item.value.size = parts.size;
    item.digest = parts.digest.hex();
    return;
  }
  std::string room(dump_part, '\0');
  while (parts.read(room.data(), room.size()) > 0) {
  }
  item.value.size = parts.size;
  item.digest = parts.digest.hex();
  options_.dry_run ? writer_.preview_long(item) : writer_.resolve_long(item);
}

void Restore::work(Batch &batch) {
  keys_.take(batch.items.size(), stop_);
  bytes_.take(batch.bytes, stop_);
  if (stop_) return;
  const std::uint64_t number = log_ ? log_->begin(batch.lines.front(), batch.lines.back()) : 0;
  options_.dry_run ? writer_.preview(batch.items) : writer_.write(batch.items);
  if (options_.verify && !options_.dry_run) writer_.check(batch.items);
  BatchResult result;
  for (std::size_t i = 0; i < batch.items.size(); ++i) record(result, batch.items[i], batch.lines[i]);
  counters_.add(result.counts);
  if (log_) log_->done(number, result.counts, result.failed);
}

void Restore::record(BatchResult &result, const Item &item, std::uint64_t line) {
  count(result.counts, KeyOutcome::listed);
  count(result.counts, item.outcome);
  if (item.outcome == KeyOutcome::copied) count(result.counts, KeyOutcome::bytes, item.value.size);
  if (item.outcome == KeyOutcome::failed) {
    result.failed.push_back(line);
    problems_.failed(Error(item.failure.status, item.failure.message));
  } else if (item.outcome == KeyOutcome::conflict || item.outcome == KeyOutcome::skipped) {
    problems_.report(conflict_error("restore", item));
  }
}

} // namespace omnistore::jobs
