// SPDX-License-Identifier: Apache-2.0
// Long values: looked at before they are sent, and sent in pieces.
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "jobs/pipe.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {
namespace {

constexpr int most_starts = 5; ///< of one value, where others write the same key

/// Reads a value into a pipe on a thread of its own, which ends with the object.
class Feed {
public:
  Feed(const Storage &source, const std::string &key, Pipe &pipe)
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
  ~Feed() {
    pipe_.abandon();
    thread_.join();
  }
  Feed(const Feed &) = delete;
  Feed &operator=(const Feed &) = delete;

private:
  Pipe &pipe_;
  std::thread thread_;
};

} // namespace

/// False: the condition did not hold. The item's meta is that of the value that was sent.
bool Writer::stream(const Storage &source, Item &item, Condition::Kind kind,
                    const std::function<void(std::size_t)> &passing) {
  if (!source.streams(item.from).reads) { // it lies in memory as it is
    take_whole(source, item.from, item.taken);
    if (item.taken.state == Taken::State::gone) return item.fate = Fate::gone, true;
    passing(item.taken.value.size());
    const std::string value = std::move(item.taken.value);
    item.digest = digest_of(value);
    item.fate = Fate::copied;
    return target_.set(item.key, value, how_to_set(item, kind)).stored;
  }
  Pipe pipe(passing);
  const Feed feed(source, item.from, pipe);
  const std::optional<Meta> meta = pipe.begun();
  if (!meta) return item.fate = Fate::gone, true;
  item.taken.expiry = meta->expiry;
  item.taken.etag = meta->etag;
  item.taken.user = meta->user_known ? meta->user : user_of(source, item.from);
  const bool stored = target_.set(item.key, pipe, meta->size, how_to_set(item, kind)).stored;
  item.taken.size = pipe.size();
  item.digest = pipe.digest();
  item.fate = Fate::copied;
  return stored;
}

void Writer::renew(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing) {
  if (item.taken.state == Taken::State::held)
    set({&item}, Condition::Kind::always);
  else
    stream(source, item, Condition::Kind::always, passing);
  if (item.fate == Fate::copied) item.fate = Fate::same;
}

void Writer::write_long(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing) {
  try {
    for (int starts = 0; starts < most_starts; ++starts) {
      if (item.taken.expiry != 0 && item.taken.expiry <= now_ms()) return void(item.fate = Fate::expired);
      Taken there;
      bool same_bytes = false;
      const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
      if (found) {
        there.state = Taken::State::is_long;
        there.size = found->size;
        if (there.size == item.taken.size) {
          item.digest = digest_of(source, item.from, item.taken);
          if (item.taken.state == Taken::State::gone) return void(item.fate = Fate::gone);
          same_bytes = digest_of(target_, item.key, there) == item.digest;
        }
        if (there.state != Taken::State::gone && !settle(item, there, same_bytes)) return;
      }
      const bool conditional = there.state == Taken::State::gone && conditional_;
      try {
        if (!stream(source, item, conditional ? Condition::Kind::if_absent : Condition::Kind::always, passing))
          continue; // another writer was faster: looked at again
      } catch (const Error &error) {
        if (error.status() != Status::unsupported || !conditional) throw;
        conditional_ = false;
        continue;
      }
      return;
    }
    item.fail(Status::conflict, verb_ + " " + item.from + ": others write " + item.key);
  } catch (const Error &error) {
    if (error.status() == Status::conflict) throw;
    Outcome outcome;
    outcome.status = error.status();
    outcome.message = error.what();
    failed(item, outcome);
  }
}

void Writer::look_long(const Storage &source, Item &item) {
  const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
  if (found && found->size == item.taken.size) item.digest = digest_of(source, item.from, item.taken);
  look_long(item);
}

void Writer::look_long(Item &item) {
  Taken there;
  const bool same_bytes = find_long(item, there);
  settle_look(item, there, same_bytes);
}

/// Whether the target has the bytes whose digest the item has; `there` is what it has.
bool Writer::find_long(const Item &item, Taken &there) {
  const std::optional<Meta> found = target_.meta(item.key, {.user = false, .caller = &background});
  if (!found) return false;
  there.state = Taken::State::is_long;
  there.size = found->size;
  return there.size == item.taken.size && digest_of(target_, item.key, there) == item.digest;
}

bool Writer::sends(const Item &item) {
  return on_conflict_ == OnConflict::overwrite || !target_.has(item.key, in_background);
}

void Writer::send(Source &source, Item &item) {
  if (item.taken.expiry != 0 && item.taken.expiry <= now_ms()) return void(item.fate = Fate::expired);
  const bool overwrites = on_conflict_ == OnConflict::overwrite;
  const auto set = [&](Condition::Kind kind) {
    return target_.set(item.key, source, UINT64_MAX, how_to_set(item, kind)).stored;
  };
  try {
    bool stored = false;
    if (conditional_ && !overwrites) {
      try {
        stored = set(Condition::Kind::if_absent);
      } catch (const Error &error) { // before anything was read
        if (error.status() != Status::unsupported) throw;
        conditional_ = false;
        stored = set(Condition::Kind::always);
      }
    } else {
      stored = set(Condition::Kind::always);
    }
    if (!stored)
      return item.fail(Status::conflict, verb_ + " " + item.from + ": another writer was just faster at " + item.key);
    item.fate = Fate::copied;
  } catch (const Error &error) {
    Outcome outcome;
    outcome.status = error.status();
    outcome.message = error.what();
    failed(item, outcome);
  }
}

void Writer::meet_long(Item &item) {
  if (item.taken.expiry != 0 && item.taken.expiry <= now_ms()) return void(item.fate = Fate::expired);
  Taken there;
  const bool same_bytes = find_long(item, there);
  if (!settle(item, there, same_bytes)) return;
  item.fate = Fate::copied; // its bytes are there; what is known of them is another
  set_known(item);
}

} // namespace omnistore::jobs
