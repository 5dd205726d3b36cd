// SPDX-License-Identifier: Apache-2.0
// What a store has changed itself while it is watched, so that a watch tells only of what others did; and what was told
// of that, so that it is not told twice.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <sys/stat.h>

namespace fs {

/// The last changes, by the paths of their keys: about thirty thousand, twice as many as the system keeps notifications
/// of by default. While a store is not watched nothing is kept. Thread-safe.
class OwnChanges {
  enum class Kind : std::uint8_t { written, nested, removed, reported };
  struct Shard;

public:
  /// One key's place, held: the change of a file and the note of it, or the look at a file and the telling of it, are
  /// one step for everyone else who holds the place.
  class Entry {
  public:
    Entry(OwnChanges &own, std::string_view path);

    /// The file, whose time of change was set to the nanosecond, was moved in.
    void note_written(const struct stat &file);
    /// The file was unlinked.
    void note_removed();
    /// The file was moved into a folder of its own name; the value stays what it was, by whomever.
    void note_nested(const struct stat &file);
    /// Others have put the file there, and that was told; they have removed it.
    void note_reported(const struct stat &file);
    void forget();

    bool has_written(const struct stat &file) const { return has(Kind::written, file); }
    bool has_nested(const struct stat &file) const { return has(Kind::nested, file); }
    bool has_reported(const struct stat &file) const { return has(Kind::reported, file); }
    bool has_removed() const;

  private:
    bool has(Kind kind, const struct stat &file) const;
    void note(Kind kind, const struct stat &file);

    Shard &shard_;
    std::string path_;
    std::unique_lock<std::mutex> lock_;
  };

  /// The place of a key that is about to be changed; none, at the price of one load, while the store is not watched.
  std::optional<Entry> changing(std::string_view path) {
    if (!active_.load(std::memory_order_relaxed)) return std::nullopt;
    return std::optional<Entry>(std::in_place, *this, path);
  }

  void start() { active_.store(true); }
  /// Forgets everything.
  void stop();

private:
  struct Note {
    std::uint64_t number;
    Kind kind;
    dev_t device;
    ino_t inode;
    off_t size;
    timespec mtime;
  };
  struct Shard {
    static constexpr std::size_t most = 512;
    std::mutex mutex;
    std::unordered_map<std::string, Note> notes;
    std::deque<std::pair<std::string, std::uint64_t>> order; ///< the oldest first; those that were noted anew too
    std::uint64_t count = 0;

    void note(const std::string &path, Note note);
  };

  std::atomic<bool> active_{false};
  Shard shards_[64];
};

} // namespace fs
