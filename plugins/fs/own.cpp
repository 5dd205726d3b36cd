// SPDX-License-Identifier: Apache-2.0
#include "own.hpp"

#include <functional>
#include <iterator>

namespace fs {

void Own::Shard::note(const std::string &path, Note note) {
  note.number = ++count;
  notes.insert_or_assign(path, note);
  order.emplace_back(path, note.number);
  if (order.size() <= most) return;
  const auto oldest = notes.find(order.front().first);
  if (oldest != notes.end() && oldest->second.number == order.front().second) notes.erase(oldest);
  order.pop_front();
}

void Own::stop() {
  active_.store(false);
  for (Shard &shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.notes.clear();
    shard.order.clear();
  }
}

Own::Place::Place(Own &own, std::string_view path)
    : shard_(own.shards_[std::hash<std::string_view>()(path) % std::size(own.shards_)]), path_(path),
      lock_(shard_.mutex) {}

void Own::Place::note(Kind kind, const struct stat &file) {
  shard_.note(path_, {0, kind, file.st_dev, file.st_ino, file.st_size, file.st_mtim});
}

void Own::Place::note_put(const struct stat &file) { note(Kind::put, file); }

void Own::Place::note_told(const struct stat &file) { note(Kind::told, file); }

void Own::Place::note_removed() { note(Kind::removed, {}); }

void Own::Place::note_nested(const struct stat &file) {
  if (!has_put(file)) note(Kind::nested, file);
}

void Own::Place::forget() { shard_.notes.erase(path_); }

bool Own::Place::has(Kind kind, const struct stat &file) const {
  const auto found = shard_.notes.find(path_);
  if (found == shard_.notes.end()) return false;
  const Note &note = found->second;
  return note.kind == kind && note.device == file.st_dev && note.inode == file.st_ino && note.size == file.st_size &&
         note.mtime.tv_sec == file.st_mtim.tv_sec && note.mtime.tv_nsec == file.st_mtim.tv_nsec;
}

bool Own::Place::has_removed() const {
  const auto found = shard_.notes.find(path_);
  return found != shard_.notes.end() && found->second.kind == Kind::removed;
}

} // namespace fs
