// SPDX-License-Identifier: Apache-2.0
#include "store/writer.hpp"

#include <cerrno>
#include <ctime>
#include <mutex>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/retry.hpp"

namespace fs {

using omnistore::Call;
using omnistore::Failure;

namespace {

/// The year 2100, for the hint of a value that had an expiry and does not expire any more.
constexpr std::int64_t distant_future = 4'102'444'800'000;

} // namespace

bool Writer::condition_holds(const Slot &slot, std::uint32_t condition, omnistore_bytes etag, const Path &path) const {
  if (condition == OMNISTORE_ALWAYS) return true;
  const Life life = life_of(context_.tree, slot, path);
  const bool lives = slot.has_value() && (life.expiry == 0 || life.expiry > context_.now());
  if (condition == OMNISTORE_IF_ABSENT) return !lives;
  EtagRoom room;
  return lives &&
         (condition == OMNISTORE_IF_PRESENT || write_etag(room, slot.status, life) == omnistore::as_view(etag));
}

omnistore_status Writer::write(Call call, const Path &path, const omnistore_set_request &request,
                               omnistore_sink *result) const {
  const mode_t sticky = request.expiry != 0 ? S_ISVTX : 0;
  for (int tries = 0; tries < max_tries; ++tries) {
    context_.tree.look(true);
    const std::uint64_t changes = context_.tree.changes();
    Fd holder = folders_.open_holder(path);
    if (!holder) holder = folders_.make(path.folder());
    if (!holder) continue;
    Slot slot = look(context_.tree, holder.get(), path.name(), path.c_str());
    TemporaryFile file(context_.owner, holder.get(), mode_of_new(slot, context_.settings.mode) | sticky, path.text());
    if (!file) continue; // the folder was empty, and another thread has removed it
    if (!request.source) {
      write_all(file.file(), request.value.data, request.value.size, 0, path);
    } else if (const omnistore_status status = copy_source(call, file.file(), request, path); status != OMNISTORE_OK) {
      return status;
    }
    if (request.expiry != 0) folders_.mark_expiring(path, holder.get());
    finish(file, slot, request.expiry, path);
    // If the write took long, the base may have become another folder meanwhile.
    if (request.source || context_.settings.is_durable()) context_.tree.look(true);
    std::optional<omnistore_status> moved;
    struct stat status {};
    std::optional<TemporaryFile> user;
    if (request.user.size != 0) {
      if (retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
      user.emplace(context_.owner, holder.get(), mode_of_new(slot, context_.settings.mode), path.text());
      if (*user) user_meta_.prepare(holder.get(), *user, slot, request.user, status.st_mtim, path);
    }
    if (context_.tree.changes() == changes && (!user || *user)) {
      moved = move_in(holder.get(), file, user ? &*user : nullptr, std::move(slot), request, path,
                      result ? &status : nullptr);
    }
    if (!moved && request.source) {
      throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": base " + context_.tree.path() +
                                               " became another folder, or the file was removed, while it was written");
    }
    if (!moved) continue;
    if (*moved != OMNISTORE_OK || !result) return *moved;
    omnistore_meta meta = meta_of(status, request.expiry);
    EtagRoom etag;
    meta.etag = omnistore::as_bytes(write_etag(etag, status, life_without_attribute(status)));
    return omnistore::give(*result, meta);
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.folder()) + ": the folder is removed again and again");
}

/// Gives a new file its expiry, times and access. The mtime is set to the nanosecond: the kernel's own clock stands
/// still for some milliseconds, and two writes within them could have the same etag.
void Writer::finish(const TemporaryFile &file, const Slot &slot, std::int64_t expiry, const Path &path) const {
  timespec times[2];
  clock_gettime(CLOCK_REALTIME, &times[1]);
  times[0] = times[1];
  if (expiry != 0) {
    struct stat status;
    if (!write_expiry(file.file(), expiry) || retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
    if (!(status.st_mode & S_ISVTX)) {
      throw Failure(OMNISTORE_UNSUPPORTED, "the filesystem of base does not keep a file's sticky bit, which says that "
                                           "it expires");
    }
    times[0] = hint_of(expiry);
  }
  if (retry(::futimens, file.file(), times) != 0) fail(errno, path.text());
  if (slot.has_value()) keep_access(context_.tree, file, slot, path.c_str());
  if (context_.settings.durability == Durability::none) return;
  const bool all = context_.settings.durability == Durability::full || expiry != 0 || slot.has_value();
  if ((all ? retry(::fsync, file.file()) : retry(::fdatasync, file.file())) != 0) fail(errno, path.text());
}

/// Moves the file into the slot, and `user` (unless null) beside it. `moved`, unless null, is the stat of the file
/// afterwards, since the move sets its ctime. Returns nullopt if the file is gone, with the folder that it was in.
std::optional<omnistore_status> Writer::move_in(int holder, TemporaryFile &file, TemporaryFile *user, Slot slot,
                                                const omnistore_set_request &request, const Path &path,
                                                struct stat *moved) const {
  std::unique_lock lock(lock_of(holder, path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    if (tries > 0 || request.condition != OMNISTORE_ALWAYS) {
      Slot now = look(context_.tree, holder, path.name(), path.c_str());
      if (now.has_value() && !(slot.has_value() && has_same_access(now, slot))) {
        keep_access(context_.tree, file, now, path.c_str());
      }
      slot = std::move(now);
      if (!condition_holds(slot, request.condition, request.etag, path)) return OMNISTORE_CONFLICT;
    }
    {
      std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.text());
      struct stat status;
      if (!put(file, slot, path.text())) {
        if (retry(::fstat, file.file(), &status) == 0 && status.st_nlink == 0) return std::nullopt;
        continue;
      }
      if ((place || moved) && retry(::fstat, file.file(), &status) != 0) fail(errno, path.text());
      if (place) place->note_written(status);
      if (moved) *moved = status;
    }
    bool is_holder_changed = user != nullptr;
    try {
      if (user)
        user_meta_.move_in(holder, *user, path);
      else if (slot.has_value())
        is_holder_changed = user_meta_.drop(holder, path);
    } catch (const Failure &failure) { // the value is replaced already, so the failure is `io` whatever the reason is
      throw Failure(OMNISTORE_IO, std::string("the value is set, its user meta is not: ") + failure.what());
    }
    lock.unlock();
    unsynced_.sync_folder(slot.folder, path.text());
    if (is_holder_changed && slot.inner) unsynced_.sync_folder(holder, path.text());
    return OMNISTORE_OK;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

void Writer::write_expiry_of(const Slot &slot, const Path &path, std::int64_t expiry) const {
  if (slot.kind == Slot::Kind::link) {
    throw Failure(OMNISTORE_UNSUPPORTED, std::string(path.text()) + ": a symbolic link keeps no expiry of its own");
  }
  const Fd file = open_file(context_.tree, slot, path.c_str());
  if (!file) fail(errno, path.text());
  // The hint is removed first and set last, so that it never contradicts the attribute.
  timespec times[2] = {{0, 0}, {0, UTIME_OMIT}};
  const Life life{expiry, read_life(file.get(), slot.status, path.text()).written_at};
  // Taking an expiry away leaves the attribute, which keeps the etag.
  if (expiry == 0 && !(slot.status.st_mode & S_ISVTX)) return;
  bool done = retry(::futimens, file.get(), times) == 0;
  done =
      done && write_life(file.get(), life) && retry(::fchmod, file.get(), (slot.status.st_mode & 07777) | S_ISVTX) == 0;
  times[0] = hint_of(expiry != 0 ? expiry : distant_future);
  done = done && retry(::futimens, file.get(), times) == 0;
  if (done && context_.settings.is_durable()) done = retry(::fsync, file.get()) == 0;
  if (!done) fail(errno, path.text());
}

} // namespace fs
