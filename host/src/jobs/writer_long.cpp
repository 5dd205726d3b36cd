// SPDX-License-Identifier: Apache-2.0
// Writes long values: compares them before they are sent, and sends them in pieces.
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/pipe.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {
namespace {

constexpr int max_attempts = 5; ///< for one value, if others write the same key

/// A thread that reads a value into a pipe. The destructor joins it.
class ReaderThread {
public:
  ReaderThread(const Storage &source, const std::string &key, Pipe &pipe)
      : pipe_(pipe), thread_([&source, &key, &pipe] {
          try {
            GetOptions options;
            options.caller = &background;
            options.meta = options.user = true;
            pipe.finish(source.read(key, pipe, options));
          } catch (...) {
            pipe.fail(std::current_exception());
          }
        }) {}
  ~ReaderThread() {
    pipe_.abandon();
    thread_.join();
  }
  ReaderThread(const ReaderThread &) = delete;
  ReaderThread &operator=(const ReaderThread &) = delete;

private:
  Pipe &pipe_;
  std::thread thread_;
};

} // namespace

/// Returns false if the condition did not hold. Sets the item's meta to that of the sent value.
bool Writer::stream(const Storage &source, Item &item, Condition::Kind kind,
                    const std::function<void(std::size_t)> &passing) {
  if (!source.route(item.from).streams.reads) { // its store gives whole values only
    read_whole(source, item.from, item.value);
    if (item.value.state == StoredValue::State::absent) return item.outcome = KeyOutcome::gone, true;
    passing(item.value.bytes.size());
    const std::string value = std::move(item.value.bytes);
    item.digest = digest_of(value);
    item.outcome = KeyOutcome::copied;
    return target_.set(item.key, value, set_options(item, kind)).stored;
  }
  Pipe pipe(passing);
  const ReaderThread feed(source, item.from, pipe);
  const std::optional<Meta> meta = pipe.begun();
  if (!meta) return item.outcome = KeyOutcome::gone, true;
  item.value.expiry = meta->expiry;
  item.value.etag = meta->etag;
  item.value.user = meta->user_known ? meta->user : user_of(source, item.from);
  const bool stored = target_.set(item.key, pipe, meta->size, set_options(item, kind)).stored;
  item.value.size = pipe.size();
  item.digest = pipe.digest();
  item.outcome = KeyOutcome::copied;
  return stored;
}

void Writer::rewrite(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing) {
  if (item.value.state == StoredValue::State::loaded)
    set({&item}, Condition::Kind::always);
  else
    stream(source, item, Condition::Kind::always, passing);
  if (item.outcome == KeyOutcome::copied) item.outcome = KeyOutcome::same;
}

void Writer::write_long(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing) {
  try {
    for (int starts = 0; starts < max_attempts; ++starts) {
      if (item.value.expiry != 0 && item.value.expiry <= now_ms()) return void(item.outcome = KeyOutcome::expired);
      StoredValue there;
      bool same_bytes = false;
      const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
      if (found) {
        there.state = StoredValue::State::is_long;
        there.size = found->size;
        if (there.size == item.value.size) {
          item.digest = digest_of(source, item.from, item.value);
          if (item.value.state == StoredValue::State::absent) return void(item.outcome = KeyOutcome::gone);
          same_bytes = digest_of(target_, item.key, there) == item.digest;
        }
        if (there.state != StoredValue::State::absent && !resolve(item, there, same_bytes)) return;
      }
      const bool conditional = there.state == StoredValue::State::absent && conditional_;
      try {
        if (!stream(source, item, conditional ? Condition::Kind::if_absent : Condition::Kind::always, passing))
          continue; // another writer was faster: compare again
      } catch (const Error &error) {
        if (error.status() != Status::unsupported || !conditional) throw;
        conditional_ = false;
        continue;
      }
      return;
    }
    item.fail(Status::conflict, verb_ + " " + item.from + ": others keep writing " + item.key);
  } catch (const Error &error) {
    if (error.status() == Status::conflict) throw;
    Outcome outcome;
    outcome.status = error.status();
    outcome.message = error.what();
    failed(item, outcome);
  }
}

void Writer::preview_long(const Storage &source, Item &item) {
  const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
  if (found && found->size == item.value.size) item.digest = digest_of(source, item.from, item.value);
  preview_long(item);
}

void Writer::preview_long(Item &item) {
  StoredValue there;
  const bool same_bytes = has_long(item, there);
  resolve_preview(item, there, same_bytes);
}

/// Returns true if the target has bytes with the item's digest, and stores the target's meta in `there`.
bool Writer::has_long(const Item &item, StoredValue &there) {
  const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
  if (!found) return false;
  there.state = StoredValue::State::is_long;
  there.size = found->size;
  return there.size == item.value.size && digest_of(target_, item.key, there) == item.digest;
}

bool Writer::must_send(const Item &item) {
  return on_conflict_ == OnConflict::overwrite || !target_.has(item.key, in_background);
}

void Writer::send_stream(Source &source, Item &item) {
  if (item.value.expiry != 0 && item.value.expiry <= now_ms()) return void(item.outcome = KeyOutcome::expired);
  const bool overwrites = on_conflict_ == OnConflict::overwrite;
  const auto set = [&](Condition::Kind kind) {
    return target_.set(item.key, source, UINT64_MAX, set_options(item, kind)).stored;
  };
  try {
    bool stored = false;
    if (conditional_ && !overwrites) {
      try {
        stored = set(Condition::Kind::if_absent);
      } catch (const Error &error) { // nothing was read yet
        if (error.status() != Status::unsupported) throw;
        conditional_ = false;
        stored = set(Condition::Kind::always);
      }
    } else {
      stored = set(Condition::Kind::always);
    }
    if (!stored)
      return item.fail(Status::conflict, verb_ + " " + item.from + ": another writer has just set " + item.key);
    item.outcome = KeyOutcome::copied;
  } catch (const Error &error) {
    Outcome outcome;
    outcome.status = error.status();
    outcome.message = error.what();
    failed(item, outcome);
  }
}

void Writer::resolve_long(Item &item) {
  if (item.value.expiry != 0 && item.value.expiry <= now_ms()) return void(item.outcome = KeyOutcome::expired);
  StoredValue there;
  const bool same_bytes = has_long(item, there);
  if (!resolve(item, there, same_bytes)) return;
  item.outcome = KeyOutcome::copied; // the target has its bytes, but another meta
  set_meta(item);
}

} // namespace omnistore::jobs
