// SPDX-License-Identifier: Apache-2.0
// The changes that a store has made itself while it is watched, so that a watch reports only the changes of others. It
// also notes which changes were reported, so that none is reported twice.
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

/// The last changes, by the paths of their keys: about thirty thousand, which is twice the default length of the
/// system's queue. While a store is not watched, nothing is noted. Thread-safe.
class OwnChanges {
  enum class Kind : std::uint8_t { written, nested, removed, reported };
  struct Shard;

public:
  /// The notes of one key, locked. The change of a file and its note, or the check of a file and its report, are one
  /// step for everyone else who locks the same key.
  class Entry {
  public:
    Entry(OwnChanges &own, std::string_view path);

    /// The store has moved the file into its place. Its mtime is set to the nanosecond.
    void note_written(const struct stat &file);
    /// The file was unlinked.
    void note_removed();
    /// The store has moved the file into a folder of its own name. Its value did not change.
    void note_nested(const struct stat &file);
    /// A change by others was reported: they have put the file there. forget(): they have removed it.
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

  /// Locks the notes of a key that is about to be changed. Returns nullopt, at the cost of one load, while the store is
  /// not watched.
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
