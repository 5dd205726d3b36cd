// SPDX-License-Identifier: Apache-2.0
// The driver `fs`: the value of key `a:b` is the file `a/b` below the option `base`. README.md describes the files.
//
// A get takes four system calls: open, fstat, read, close. A write fills a temporary file in the folder of the key, and
// moves it into the key's slot while it holds the slot's lock (tree/slot.hpp).
#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <omnistore/driver.hpp>
#include <omnistore/errno_status.hpp>
#include <omnistore/lag.hpp>
#include <omnistore/listing.hpp>
#include <omnistore_schema.h>

#include "expiry/expiry.hpp"
#include "expiry/sweeper.hpp"
#include "listing/ignore.hpp"
#include "listing/paused.hpp"
#include "listing/walk.hpp"
#include "store/context.hpp"
#include "store/folder_looks.hpp"
#include "store/folders.hpp"
#include "store/remover.hpp"
#include "store/settings.hpp"
#include "store/unsynced.hpp"
#include "store/user_meta.hpp"
#include "store/value.hpp"
#include "store/writer.hpp"
#include "tree/slot.hpp"
#include "tree/tree.hpp"
#include "watching/own_changes.hpp"
#include "watching/watches.hpp"

namespace {

using namespace fs;
using omnistore::Call;
using omnistore::Failure;

/// For how long an open removes the leftovers of a killed host. The rest is done in the background.
constexpr std::chrono::milliseconds longest_cleaning(3);

class Fs {
public:
  Fs(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits);
  static void validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
    Settings::validate(options, problems);
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page);
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch);
  void unwatch(void *watch);
  std::int64_t lag(void *) const { return watches_.lag(); }
  const void *extension(const char *id) { return omnistore::lag_extension<Fs>(id); }

private:
  std::optional<Tree::Making> making() const {
    if (settings_.read_only) return std::nullopt;
    return Tree::Making{settings_.folder_mode, settings_.durability == Durability::full};
  }
  void base_changed() const;
  omnistore_status report_unreadable(std::vector<UnreadablePlace> places, omnistore_page *page);
  void log_once(const UnreadablePlace &place);
  void require_writable() const;

  bool find(const Path &path, std::string_view key, OpenValue &found);
  bool find_with_user(const Path &path, std::string_view key, OpenValue &found, std::string &user);
  omnistore_status set_expired(const Path &path, std::string_view key, const omnistore_set_request &request);
  omnistore_status emit(Walk &walk, bool meta, std::int64_t now, omnistore_page &page, bool &emitted);
  void expire(std::string_view key) {
    if (!settings_.read_only) remover_.expire(key);
  }

  const omnistore_host &host_;
  const Settings settings_;
  const Ignore ignore_;
  Watches *woken_watches_ = nullptr; ///< null until the constructor has made them
  const Tree tree_;
  Owner owner_{tree_};
  Leftovers leftovers_{tree_};
  const bool keeps_expiry_;
  std::mutex logged_mutex_;
  std::set<std::string> logged_; ///< places that cannot be read
  PausedWalks paused_;
  OwnChanges own_changes_;
  const Context context_{host_, settings_, tree_, owner_, own_changes_};
  UnsyncedChanges unsynced_{context_};
  const Folders folders_{context_, unsynced_};
  const UserMeta user_meta_{context_};
  const Writer writer_{context_, unsynced_, folders_, user_meta_};
  const Remover remover_{context_, unsynced_, folders_, user_meta_, writer_};
  Sweeper sweeper_;
  Watches watches_;
};

Fs::Fs(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits)
    : host_(host), settings_(options), ignore_(settings_.ignore),
      tree_(settings_.base, making(), [this] { base_changed(); }), keeps_expiry_(keeps_attributes(tree_.base())),
      sweeper_(host, tree_, ignore_, leftovers_, [this](std::string_view key) { expire(key); }),
      watches_(host, tree_, ignore_, own_changes_) {
  woken_watches_ = &watches_;
  if (settings_.read_only) traits.capabilities |= OMNISTORE_READS_ONLY;
  // Without attributes the host keeps expiries and user meta, in the file `b$`.
  if (!keeps_expiry_) traits.capabilities &= ~(OMNISTORE_CAN_TTL | OMNISTORE_CAN_META);
  if (settings_.durability == Durability::full) traits.keeps = OMNISTORE_KEEPS_POWER;
  if (settings_.read_only) return;
  if (keeps_expiry_) sweeper_.start();
  leftovers_.find();
  const auto until = std::chrono::steady_clock::now() + longest_cleaning;
  if (leftovers_.work([until] { return std::chrono::steady_clock::now() < until; })) sweeper_.clean();
}

void Fs::base_changed() const {
  omnistore::log_line(host_, OMNISTORE_LOG_WARN,
                      "base " + tree_.path() +
                          ": the path leads to another folder now, or to none; the store uses that from now on");
  if (woken_watches_) woken_watches_->wake();
}

/// Reports places that are left out of a listing or a clear: to the log, and to the host if there is a page.
omnistore_status Fs::report_unreadable(std::vector<UnreadablePlace> places, omnistore_page *page) {
  for (const UnreadablePlace &place : places) {
    log_once(place);
    if (!page) continue;
    const omnistore_status status = omnistore::skip(*page, place.base, omnistore::status_of_errno(place.error),
                                                    place.path() + ": " + message_of(place.error));
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

/// Logs that a place is left out, but only once.
void Fs::log_once(const UnreadablePlace &place) {
  constexpr std::size_t most = 1000;
  {
    const std::lock_guard lock(logged_mutex_);
    if (logged_.size() >= most || !logged_.insert(place.base).second) return;
  }
  omnistore::log_line(host_, OMNISTORE_LOG_WARN,
                      tree_.path() + "/" + place.path() + ": " + message_of(place.error) +
                          "; its keys are left out of listings (the option ignore leaves it out without this message)");
}

void Fs::require_writable() const {
  if (settings_.read_only) throw Failure(OMNISTORE_READ_ONLY, "the option readOnly is set");
}

// ---------------------------------------------------------------------------------------------------------- reading

/// Opens a value that has not expired. Removes a value that has.
bool Fs::find(const Path &path, std::string_view key, OpenValue &found) {
  const std::uint64_t changes = tree_.changes();
  tree_.glance();
  if (!open_value(tree_, path, found)) {
    tree_.look(false);
    if (tree_.changes() == changes || !open_value(tree_, path, found)) return false;
  }
  if (found.life.expiry == 0 || found.life.expiry > context_.now()) return true;
  try {
    expire(key);
  } catch (const Failure &) {
    // Readers do not see it, even if its file cannot be removed.
  }
  return false;
}

/// find(), with the user meta. If the value is replaced between the two reads, it starts again.
bool Fs::find_with_user(const Path &path, std::string_view key, OpenValue &found, std::string &user) {
  if (!find(path, key, found)) return false;
  if (key.ends_with(user_end)) return true;
  for (int tries = 0; tries < max_tries && !user_meta_.read(path, found, user); ++tries) {
    const struct stat before = found.status;
    if (!find(path, key, found)) return false;
    if (same_time(before.st_mtim, found.status.st_mtim) && before.st_ino == found.status.st_ino) break;
  }
  return true;
}

omnistore_status Fs::get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
  const Path path(key);
  OpenValue found;
  std::string user;
  const bool is_there =
      request.flags & OMNISTORE_GET_USER ? find_with_user(path, key, found, user) : find(path, key, found);
  if (!is_there) return OMNISTORE_NOT_FOUND;
  omnistore_meta meta = meta_of(found.status, found.life.expiry);
  EtagRoom etag;
  if (request.flags & OMNISTORE_GET_META) meta.etag = omnistore::as_bytes(write_etag(etag, found.status, found.life));
  if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, user);

  std::uint64_t offset = std::min(request.offset, meta.value_size);
  std::uint64_t left = std::min(request.length, meta.value_size - offset);
  void *buffer = nullptr;
  if (const omnistore_status status = sink.begin(&sink, &meta, &buffer); status != OMNISTORE_OK) return status;
  const std::unique_ptr<char[]> own(buffer || left == 0 ? nullptr : new char[std::min(left, piece)]);
  char *into = own ? own.get() : static_cast<char *>(buffer);
  while (left > 0) {
    if (left > piece) check_deadline(call);
    const std::uint64_t size = std::min(left, piece);
    read_all(found.file.get(), into, size, offset, path);
    if (const omnistore_status status = sink.write(&sink, into, size); status != OMNISTORE_OK) return status;
    if (!own) into += size;
    offset += size, left -= size;
  }
  return OMNISTORE_OK;
}

omnistore_status give_meta(const OpenValue &found, std::string_view user, const omnistore_get_request &request,
                           omnistore_sink &sink) {
  omnistore_meta meta = meta_of(found.status, found.life.expiry);
  EtagRoom etag;
  if (request.flags & OMNISTORE_GET_META) meta.etag = omnistore::as_bytes(write_etag(etag, found.status, found.life));
  if (request.flags & OMNISTORE_GET_USER) omnistore::add_user(meta, user);
  return omnistore::give(sink, meta);
}

omnistore_status Fs::stat(Call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
  const Path path(key);
  OpenValue found;
  std::string user;
  const bool is_there =
      request.flags & OMNISTORE_GET_USER ? find_with_user(path, key, found, user) : find(path, key, found);
  return is_there ? give_meta(found, user, request, sink) : OMNISTORE_NOT_FOUND;
}

omnistore_status Fs::stat_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                               omnistore_status *statuses) {
  tree_.glance();
  FolderLooks looks(tree_);
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    const std::string_view key = omnistore::as_view(keys[i]);
    const omnistore_get_request &request = requests[i];
    try {
      OpenValue found;
      const bool is_plain = !(request.flags & OMNISTORE_GET_USER) && looks.find(Path(key), found);
      statuses[i] = is_plain ? give_meta(found, {}, request, *sinks[i]) : stat(call, key, request, *sinks[i]);
    } catch (const Failure &failure) {
      statuses[i] = call.fail(i, failure.status(), failure.what());
    }
  }
  return OMNISTORE_OK;
}

// ---------------------------------------------------------------------------------------------------------- writing

omnistore_status Fs::set(Call call, std::string_view key, const omnistore_set_request &request,
                         omnistore_sink *result) {
  const Path path(key);
  require_writable();
  if (request.expiry != 0) {
    if (!keeps_expiry_) {
      throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base has no user attributes, which would keep an expiry");
    }
    if (request.expiry <= context_.now()) return set_expired(path, key, request);
  }
  omnistore_status status;
  try {
    status = writer_.write(call, path, request, result);
  } catch (const Failure &) {
    folders_.prune(path.folder(), false);
    throw;
  }
  if (status != OMNISTORE_OK) folders_.prune(path.folder(), false);
  if (status == OMNISTORE_OK && request.expiry != 0) sweeper_.schedule(request.expiry, key);
  return status;
}

/// A set whose expiry has passed is a removal under the set's condition.
omnistore_status Fs::set_expired(const Path &path, std::string_view key, const omnistore_set_request &request) {
  if (request.condition == OMNISTORE_IF_ABSENT) {
    OpenValue found;
    return find(path, key, found) ? OMNISTORE_CONFLICT : OMNISTORE_OK;
  }
  const omnistore_status status = remover_.remove(path, key, request.condition, request.etag);
  if (status != OMNISTORE_NOT_FOUND) return status;
  return request.condition == OMNISTORE_ALWAYS ? OMNISTORE_OK : OMNISTORE_CONFLICT;
}

omnistore_status Fs::remove(Call, std::string_view key, const omnistore_remove_request &request) {
  const Path path(key);
  require_writable();
  return remover_.remove(path, key, request.condition, request.etag);
}

omnistore_status Fs::touch(Call, std::string_view key, const omnistore_touch_request &request) {
  const Path path(key);
  require_writable();
  if (!keeps_expiry_) {
    throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base has no user attributes, which would keep an expiry");
  }
  const bool renews = request.flags & OMNISTORE_TOUCH_EXPIRY;
  const std::int64_t expiry = renews ? request.expiry : 0;
  if (expiry != 0 && expiry <= context_.now()) return remover_.remove(path, key, OMNISTORE_ALWAYS, {});
  tree_.look(false);
  const Fd holder = folders_.open_holder(path);
  if (!holder) return OMNISTORE_NOT_FOUND;
  bool is_holder_changed = false;
  {
    const std::lock_guard lock(lock_of(holder.get(), path.name()));
    const Slot slot = look(tree_, holder.get(), path.name(), path.c_str());
    if (!writer_.condition_holds(slot, OMNISTORE_IF_PRESENT, {}, path)) return OMNISTORE_NOT_FOUND;
    if (expiry != 0) folders_.mark_expiring(path, holder.get());
    const Life before = life_of(tree_, slot, path);
    if (request.flags & OMNISTORE_TOUCH_USER && request.user.size != 0) {
      TemporaryFile user(owner_, holder.get(), mode_of_new(slot, settings_.mode), path.text());
      if (!user) return OMNISTORE_NOT_FOUND; // the folder was removed
      user_meta_.prepare(holder.get(), user, slot, request.user, slot.status.st_mtim, path);
      user_meta_.move_in(holder.get(), user, path);
      is_holder_changed = true;
    } else if (request.flags & OMNISTORE_TOUCH_USER) {
      is_holder_changed = user_meta_.drop(holder.get(), path);
    }
    if (renews) writer_.write_expiry_of(slot, path, expiry);
    if (renews && !(request.flags & OMNISTORE_TOUCH_USER)) user_meta_.restamp(holder.get(), slot, before, path);
  }
  if (expiry != 0) sweeper_.schedule(expiry, key);
  if (is_holder_changed) unsynced_.sync_folder(holder.get(), path.text());
  unsynced_.sync_earlier(path.text(), false);
  return OMNISTORE_OK;
}

// ---------------------------------------------------------------------------------------------------------- listing

omnistore_status Fs::list(Call call, const omnistore_list_request &request, omnistore_page &page) {
  tree_.look(false);
  Walk::Options options;
  options.base = omnistore::as_view(request.base);
  options.depth = request.depth;
  options.folders = request.flags & OMNISTORE_LIST_FOLDERS;
  options.clean = !settings_.read_only;
  options.reports = true;
  Cursor cursor{};
  if (request.cursor.size > 0) {
    cursor = read_cursor(omnistore::as_view(request.cursor));
    if (!cursor.key.starts_with(options.base)) {
      throw Failure(OMNISTORE_INVALID, "the cursor belongs to another base");
    }
  }
  omnistore::KeyBounds range(request, cursor.key);
  if (range.empty()) return OMNISTORE_OK;
  options.from = std::move(range.from);
  if (request.end.size > 0) options.to = std::move(range.to);
  std::unique_ptr<Walk> walk;
  if (!cursor.key.empty()) {
    walk = paused_.resume(cursor, options);
    if (walk && walk->is_outdated()) walk.reset();
  }
  if (!walk) walk = std::make_unique<Walk>(tree_, ignore_, std::move(options));

  const std::int64_t moment = context_.now();
  std::uint32_t steps = 0;
  for (std::uint32_t emitted = 0; emitted < request.limit;) {
    const Walk::Step step = walk->next();
    bool shown = false;
    omnistore_status status = OMNISTORE_OK;
    if (step == Walk::Step::value) status = emit(*walk, request.flags & OMNISTORE_LIST_META, moment, page, shown);
    if (step == Walk::Step::folder) {
      shown = true;
      status = page.emit(&page, omnistore::as_bytes(walk->key()), nullptr);
    }
    if (status == OMNISTORE_OK && walk->unreadable()) status = report_unreadable(walk->take_unreadable(), &page);
    if (status != OMNISTORE_OK || step == Walk::Step::end) return status;
    if (++steps % 1024 == 0) check_deadline(call);
    if (shown) ++emitted;
  }
  if (walk->at_end()) return OMNISTORE_OK;
  const std::string last = walk->key();
  const std::string next = write_cursor(paused_.keep(std::move(walk)), last);
  page.next(&page, omnistore::as_bytes(next));
  return OMNISTORE_OK;
}

/// Emits the walk's value if it has not expired.
omnistore_status Fs::emit(Walk &walk, bool wants_meta, std::int64_t moment, omnistore_page &page, bool &emitted) {
  const omnistore_bytes key = omnistore::as_bytes(walk.key());
  if (!wants_meta && !walk.may_expire()) return emitted = true, page.emit(&page, key, nullptr);
  const struct stat *status = walk.status();
  if (!status) return OMNISTORE_OK;
  const bool asks_life = wants_meta || !is_certainly_alive(*status, moment);
  const std::optional<Life> life = asks_life ? walk.life() : Life();
  if (!life) return OMNISTORE_OK;
  const std::int64_t expiry = life->expiry;
  if (expiry != 0 && expiry <= moment) {
    if (settings_.read_only) return OMNISTORE_OK;
    sweeper_.schedule(expiry, walk.key());
    return OMNISTORE_OK;
  }
  emitted = true;
  if (!wants_meta) return page.emit(&page, key, nullptr);
  omnistore_meta meta = meta_of(*status, expiry);
  EtagRoom etag;
  meta.etag = omnistore::as_bytes(write_etag(etag, *status, *life));
  return page.emit(&page, key, &meta);
}

// --------------------------------------------------------------------------------------------------------- clearing

omnistore_status Fs::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  require_writable();
  if (settings_.no_clear)
    throw Failure(OMNISTORE_READ_ONLY, "the option noClear is set: keys can be removed one by one");
  tree_.look(false);
  Walk::Options options;
  options.base = omnistore::as_view(request.base);
  options.clean = options.reports = true;
  Walk walk(tree_, ignore_, std::move(options));
  std::optional<Failure> refused; // the first failure; the other keys are removed all the same
  for (std::uint32_t steps = 1;; ++steps) {
    if (steps % 256 == 0) check_deadline(call), tree_.look(false);
    if (walk.is_outdated()) {
      throw Failure(OMNISTORE_UNAVAILABLE, "base " + tree_.path() + " became another folder while it was cleared");
    }
    const Walk::Step step = walk.next();
    if (walk.unreadable()) report_unreadable(walk.take_unreadable(), nullptr);
    switch (step) {
    case Walk::Step::end:
      if (!refused && walk.unreadable()) fail(walk.unreadable()->error, walk.unreadable()->path());
      if (refused) throw Failure(*refused);
      unsynced_.sync_earlier(folder_of(walk.options().base), true);
      return OMNISTORE_OK;
    case Walk::Step::left:
      try {
        remover_.finish_folder(walk.left());
      } catch (const Failure &failure) {
        if (!refused) refused = failure;
      }
      break;
    case Walk::Step::folder: // not requested
      break;
    case Walk::Step::value:
      try {
        if (!remover_.clear_one(walk) || !removed) break;
      } catch (const Failure &failure) {
        if (failure.status() != OMNISTORE_DENIED && failure.status() != OMNISTORE_IO) throw;
        if (!refused) refused = failure;
        break;
      }
      if (const omnistore_status status = removed->emit(removed, omnistore::as_bytes(walk.key()), nullptr);
          status != OMNISTORE_OK) {
        return status;
      }
    }
  }
}

// --------------------------------------------------------------------------------------------------------- watching

omnistore_status Fs::watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
  *watch = watches_.begin(omnistore::as_view(request.base), watcher);
  return OMNISTORE_OK;
}

void Fs::unwatch(void *watch) { watches_.end(watch); }

constexpr omnistore_traits traits = {
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_PARALLEL,
    .capabilities = OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                    OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE |
                    OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_META |
                    OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_FOLDERS,
    .max_key_size = longest_key,
    .max_value_size = 0,
    .max_batch = 0,
    .keeps = OMNISTORE_KEEPS_PROCESS,
    .order = OMNISTORE_ORDER_KEYS,
    .reserved = 0,
    .min_ttl = 0,
    .ttl_grain = 0,
};

} // namespace

OMNISTORE_PLUGIN_THAT_UNLOADS(omnistore::driver<Fs>("fs", "1.0.0", "Keeps values as files in a folder",
                                                    OMNISTORE_OPTIONS_SCHEMA, traits))
