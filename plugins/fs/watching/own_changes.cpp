// SPDX-License-Identifier: Apache-2.0
#include "watching/own_changes.hpp"

#include <functional>
#include <iterator>

namespace fs {

void OwnChanges::Shard::note(const std::string &path, Note note) {
  note.number = ++count;
  notes.insert_or_assign(path, note);
  order.emplace_back(path, note.number);
  if (order.size() <= most) return;
  const auto oldest = notes.find(order.front().first);
  if (oldest != notes.end() && oldest->second.number == order.front().second) notes.erase(oldest);
  order.pop_front();
}

void OwnChanges::stop() {
  active_.store(false);
  for (Shard &shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.notes.clear();
    shard.order.clear();
  }
}

OwnChanges::Entry::Entry(OwnChanges &own, std::string_view path)
    : shard_(own.shards_[std::hash<std::string_view>()(path) % std::size(own.shards_)]), path_(path),
      lock_(shard_.mutex) {}

void OwnChanges::Entry::note(Kind kind, const struct stat &file) {
  shard_.note(path_, {0, kind, file.st_dev, file.st_ino, file.st_size, file.st_mtim});
}

void OwnChanges::Entry::note_written(const struct stat &file) { note(Kind::written, file); }

void OwnChanges::Entry::note_reported(const struct stat &file) { note(Kind::reported, file); }

void OwnChanges::Entry::note_removed() { note(Kind::removed, {}); }

void OwnChanges::Entry::note_nested(const struct stat &file) {
  if (!has_written(file)) note(Kind::nested, file);
}

void OwnChanges::Entry::forget() { shard_.notes.erase(path_); }

bool OwnChanges::Entry::has(Kind kind, const struct stat &file) const {
  const auto found = shard_.notes.find(path_);
  if (found == shard_.notes.end()) return false;
  const Note &note = found->second;
  return note.kind == kind && note.device == file.st_dev && note.inode == file.st_ino && note.size == file.st_size &&
         note.mtime.tv_sec == file.st_mtim.tv_sec && note.mtime.tv_nsec == file.st_mtim.tv_nsec;
}

bool OwnChanges::Entry::has_removed() const {
  const auto found = shard_.notes.find(path_);
  return found != shard_.notes.end() && found->second.kind == Kind::removed;
}

} // namespace fs
