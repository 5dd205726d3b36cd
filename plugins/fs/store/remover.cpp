// SPDX-License-Identifier: Apache-2.0
#include "store/remover.hpp"

#include <cerrno>
#include <optional>
#include <string>

#include <omnistore/driver.hpp>

namespace fs {

using omnistore::Failure;

/// Unlinks a value's file. Returns false if the slot has changed since look().
bool Remover::unlink_value(const Slot &slot, const Path &path) const {
  std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.text());
  if (!unlink_slot(slot, path.text())) return false;
  if (place) place->note_removed();
  return true;
}

/// After unlink_value(): removes the user meta and empty folders, and syncs the folders.
void Remover::finish_removal(int holder, const Slot &slot, const Path &path, std::unique_lock<std::mutex> &lock) const {
  const bool had_user = user_meta_.drop(holder, path);
  lock.unlock();
  unsynced_.sync_folder(slot.folder, path.text());
  if (had_user && slot.inner) unsynced_.sync_folder(holder, path.text());
  folders_.prune(slot.inner ? path.text() : path.folder(), true);
}

omnistore_status Remover::remove(const Path &path, std::string_view key, std::uint32_t condition,
                                 omnistore_bytes etag) const {
  const omnistore_status missing = condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
  context_.tree.look(false);
  const Fd holder = folders_.open_holder(path);
  if (!holder) return unsynced_.sync_earlier(path.text(), false), missing;
  std::unique_lock lock(lock_of(holder.get(), path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    const Slot slot = look(context_.tree, holder.get(), path.name(), path.c_str());
    if (!slot.has_value()) {
      if (user_meta_.drop(holder.get(), path)) unsynced_.sync_folder(holder.get(), path.text());
      lock.unlock();
      unsynced_.sync_earlier(path.text(), false);
      return missing;
    }
    const std::int64_t expiry = life_of(context_.tree, slot, path).expiry;
    const bool expired = expiry != 0 && expiry <= context_.now();
    if (!expired && condition == OMNISTORE_IF_MATCH && !writer_.condition_holds(slot, condition, etag, path)) {
      return OMNISTORE_CONFLICT;
    }
    if (!unlink_value(slot, path)) continue;
    if (expired) announce_expired(key);
    finish_removal(holder.get(), slot, path, lock);
    return expired ? missing : OMNISTORE_OK;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

void Remover::finish_folder(std::string_view folder) const {
  if (context_.settings.durability == Durability::full) {
    const std::string_view name = folder.empty() ? "the base folder" : folder;
    const Fd opened = context_.tree.open_folder(folder);
    if (opened) {
      unsynced_.sync_folder(opened.get(), folder);
    } else if (errno != ENOENT && errno != ENOTDIR) { // otherwise another program has removed it meanwhile
      const int error = errno;
      unsynced_.note(folder);
      throw Failure(OMNISTORE_IO,
                    std::string(name) + ": its keys are removed, and a power cut may undo that: " + message_of(error));
    }
  }
  folders_.prune(folder, true);
}

bool Remover::clear_one(Walk &walk) const {
  const Path path(walk.key());
  if (walk.folder() < 0) return false;
  const std::lock_guard lock(lock_of(walk.folder(), path.name()));
  for (int tries = 0; tries < max_tries; ++tries) {
    const Slot slot = look(context_.tree, walk.folder(), path.name(), path.c_str());
    if (!slot.has_value()) return false;
    const std::int64_t expiry = life_of(context_.tree, slot, path).expiry;
    if (!unlink_value(slot, path)) continue;
    user_meta_.drop(walk.folder(), path);
    if (expiry == 0 || expiry > context_.now()) return true;
    announce_expired(walk.key());
    return false;
  }
  throw Failure(OMNISTORE_UNAVAILABLE, std::string(path.text()) + ": another program changes it again and again");
}

void Remover::announce_expired(std::string_view key) const {
  const omnistore_event event = {
      sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, omnistore::as_bytes(key), 0};
  context_.host.event(&context_.host, &event);
}

void Remover::expire(std::string_view key) const {
  if (context_.settings.read_only) return;
  const Path path(key);
  context_.tree.look(false);
  const Fd holder = folders_.open_holder(path);
  if (!holder) return;
  std::unique_lock lock(lock_of(holder.get(), path.name()));
  const Slot slot = look(context_.tree, holder.get(), path.name(), path.c_str());
  const std::int64_t expiry = life_of(context_.tree, slot, path).expiry;
  if (expiry == 0 || expiry > context_.now() || !unlink_value(slot, path)) return;
  announce_expired(key);
  finish_removal(holder.get(), slot, path, lock);
}

} // namespace fs
