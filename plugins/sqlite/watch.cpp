// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>

#include <omnistore/background.hpp>
#include <omnistore/value.hpp>

namespace sqlite {
namespace {} // namespace

// --------------------------------------------------------------------------------------------------------- own changes

void OwnChanges::attach(Connection &writer, const std::string &table) {
  table_ = table;
  open_ = {0, 0}, committing_ = false;
  sqlite3_update_hook(
      writer.db(),
      [](void *self, int operation, const char *, const char *changed, sqlite3_int64 row) {
        auto &own = *static_cast<OwnChanges *>(self);
        if (operation == SQLITE_INSERT && own.table_ == changed) own.add(row);
      },
      this);
  sqlite3_commit_hook(
      writer.db(), [](void *self) { return static_cast<OwnChanges *>(self)->before_commit(), 0; }, this);
  sqlite3_rollback_hook(
      writer.db(), [](void *self) { static_cast<OwnChanges *>(self)->after_rollback(); }, this);
}

void OwnChanges::detach(Connection &writer) {
  sqlite3_update_hook(writer.db(), nullptr, nullptr);
  sqlite3_commit_hook(writer.db(), nullptr, nullptr);
  sqlite3_rollback_hook(writer.db(), nullptr, nullptr);
  const std::lock_guard lock(mutex_);
  ranges_.clear();
}

/// The numbers of one transaction follow each other, since no other can write meanwhile.
void OwnChanges::add(std::int64_t number) {
  if (committing_ || open_.first == 0) open_.first = number;
  committing_ = false;
  open_.last = number;
}

/// Nobody sees the changes before their numbers are here.
void OwnChanges::before_commit() {
  if (open_.first == 0 || committing_) return;
  committing_ = true;
  const std::lock_guard lock(mutex_);
  ranges_.push_back(open_);
}

void OwnChanges::after_rollback() {
  if (committing_) {
    const std::lock_guard lock(mutex_);
    std::erase_if(ranges_, [&](const Range &range) { return range.first == open_.first; });
  }
  open_ = {0, 0}, committing_ = false;
}

bool OwnChanges::take(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(ranges_, [&](const Range &range) { return range.last < number; });
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range &range) { return range.first <= number; });
}

// ------------------------------------------------------------------------------------------------------------- watches

void *Watches::add(omnistore::Call call, std::string_view base, omnistore_watcher &watcher) {
  const std::lock_guard starting(starting_);
  if (!thread_.joinable()) start(call);
  const std::lock_guard lock(mutex_);
  const std::int64_t from = precise_ ? last_change() : 0;
  watches_.push_back(std::make_unique<Watch>(Watch{std::string(base), &watcher, from}));
  return watches_.back().get();
}

void Watches::end(void *watch) {
  const std::lock_guard starting(starting_);
  bool was_last = false;
  {
    const std::lock_guard lock(mutex_); // no event is under way
    std::erase_if(watches_, [&](const auto &each) { return each.get() == watch; });
    was_last = watches_.empty();
  }
  if (was_last) stop();
}

void Watches::start(omnistore::Call call) {
  precise_ = false;
  if (!settings_.read_only) {
    with_writer_(call, [&](Connection &writer) {
      settings_.layout.prepare_changes(writer);
      own_.attach(writer, settings_.layout.changes());
    });
    precise_ = true;
  }
  connection_ = std::make_unique<Connection>(settings_, Connection::Kind::reader, call, waits_);
  connection_->serve(call);
  proof_.renew(omnistore::WatchProof::Clock::now());
  Run version(*connection_, Query::data_version);
  version.row();
  version_ = version.integer_at(0);
  last_ = precise_ ? last_change() : 0;
  connection_->serve_nobody();
  stops_ = false;
  thread_ = omnistore::background_thread([this] { run(); });
}

void Watches::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_one();
  thread_.join();
  connection_.reset();
  if (!precise_) return;
  omnistore::BackgroundCall background;
  try {
    with_writer_(omnistore::Call(&background), [&](Connection &writer) { own_.detach(writer); });
  } catch (const std::exception &error) {
    omnistore::log_line(host_, OMNISTORE_LOG_WARN, error.what());
  }
}

void Watches::run() noexcept {
  bool failed = false;
  omnistore::BackgroundCall background;
  std::unique_lock lock(mutex_);
  connection_->serve(omnistore::Call(&background));
  while (!stops_) {
    wake_.wait_for(lock, std::chrono::milliseconds(settings_.watch_interval));
    if (stops_) return;
    try {
      const auto begun = omnistore::WatchProof::Clock::now();
      look();
      proof_.renew(begun);
      failed = false;
    } catch (const std::exception &error) {
      if (!failed) {
        omnistore::log_line(host_, OMNISTORE_LOG_WARN, std::string("changes by others are not seen: ") + error.what());
        tell(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, INT64_MAX);
      }
      failed = true;
    }
  }
}

void Watches::look() {
  {
    Run version(*connection_, Query::data_version);
    version.row();
    const std::int64_t now = version.integer_at(0);
    if (now == version_) return;
    version_ = now;
  }
  if (precise_)
    read_changes();
  else
    tell(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, INT64_MAX);
}

void Watches::read_changes() {
  static constexpr struct {
    std::uint32_t type, cause;
  } kinds[] = {{OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE},
               {OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED},
               {OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED}};
  for (bool more = true; more;) {
    more = false;
    Run run(*connection_, Query::changes);
    run.integer(1, last_);
    while (run.row()) {
      more = true;
      const std::int64_t number = run.integer_at(0), kind = run.integer_at(2);
      if (number != last_ + 1) // more were made than the table holds
        tell(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, INT64_MAX);
      last_ = number;
      if (!own_.take(number) && kind >= 0 && kind <= 2)
        tell(kinds[kind].type, kinds[kind].cause, run.bytes_at(1), number);
    }
  }
  const std::int64_t newest = last_change();
  if (newest >= last_) return;
  last_ = newest; // somebody has emptied the table
  tell(OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, {}, INT64_MAX);
}

void Watches::tell(std::uint32_t type, std::uint32_t cause, std::string_view key, std::int64_t number) {
  const omnistore_event event{sizeof event, type, cause, 0, omnistore::as_bytes(key), 0};
  for (const auto &each : watches_)
    if (number > each->from && key.starts_with(type == OMNISTORE_EVENT_RESYNC ? std::string_view() : each->base))
      each->watcher->event(each->watcher, &event);
}

std::int64_t Watches::last_change() {
  Run run(*connection_, Query::last_change);
  run.row();
  return run.integer_at(0);
}

} // namespace sqlite
