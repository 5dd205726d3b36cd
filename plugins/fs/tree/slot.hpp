// SPDX-License-Identifier: Apache-2.0
// A slot is a key's place in its folder: the file that holds its value now, or that will hold it. The functions here
// replace the file in such a way that a reader finds the old value or the new one at any moment.
//
// The value of `a` is the file `a`. If `a` is a folder, because keys `a:...` exist, the value is the file `a/$`.
//
// Every change of a slot holds its lock. The process has one set of locks, chosen by the folder's identity and the name
// in it, so that two stores with overlapping folders use the same lock.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include "tree/owner.hpp"
#include "tree/tree.hpp"

namespace fs {

/// Returns the lock of `name` in an open folder.
std::mutex &lock_of(int folder, std::string_view name);

/// A key's slot and the state of its file.
struct Slot {
  enum class Kind { none, value, link };
  Kind kind = Kind::none; ///< link: a symbolic link; if `leads`, `status` is that of the file it leads to
  bool leads = true;
  Fd inner;         ///< the folder `a`, if the value is `a/$`
  int folder = -1;  ///< the folder of the slot
  std::string name; ///< the slot's name in it
  struct stat status {};

  bool has_value() const { return kind == Kind::value || (kind == Kind::link && leads); }
};

/// Reads the state of a slot. `path` is the key's whole path. Throws a Failure if there is neither a file, a folder nor
/// a link.
Slot look(const Tree &tree, int folder, const char *name, const char *path);

/// Opens the slot's file for reading. On failure there is no descriptor, and errno is set.
Fd open_file(const Tree &tree, const Slot &slot, const char *path);

/// A new file with a temporary name, in the folder that it will be moved within. The destructor removes it unless it
/// was moved.
class TemporaryFile {
public:
  /// The file gets exactly this mode, whatever the umask is. If the folder is gone, there is no file, and the object is
  /// false. Throws on other failures.
  TemporaryFile(Owner &owner, int folder, mode_t mode, std::string_view path);
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  ~TemporaryFile();

  explicit operator bool() const { return static_cast<bool>(file_); }
  int file() const { return file_.get(); }
  int folder() const { return folder_; }
  const char *name() const { return name_.c_str(); }
  void moved() { name_.clear(); }

private:
  int folder_;
  std::string name_;
  Fd file_;
};

/// Returns the mode for a new file that will replace the slot's file. It lets nobody open the new file who could not
/// open the old one. If the slot has no file, returns `mode`.
mode_t mode_of_new(const Slot &slot, mode_t mode);

/// Returns true if two files have the same owner, group and permissions. It does not compare ACLs.
inline bool has_same_access(const Slot &one, const Slot &other) {
  return one.status.st_uid == other.status.st_uid && one.status.st_gid == other.status.st_gid &&
         one.status.st_mode == other.status.st_mode;
}

/// Gives a new file the owner, group, permissions and ACL of the slot's file, as far as the system allows. If it does
/// not allow the group or the ACL, group and others get only what both had. The bits set-uid and set-gid are removed,
/// as they are when a file is written.
void keep_access(const Tree &tree, const TemporaryFile &file, const Slot &slot, const char *path);

/// Moves the file into the slot. Returns false if the slot has changed since look(); then nothing was done, and the
/// caller looks again.
bool put(TemporaryFile &file, const Slot &slot, std::string_view path);

/// Unlinks the slot's file. Returns false if the slot has changed since look().
bool unlink_slot(const Slot &slot, std::string_view path);

/// How nest() makes a folder.
struct Nesting {
  Owner &owner;
  mode_t mode;  ///< of the new folder
  bool durable; ///< waits until it is on the medium
};
/// Turns the file `name` into a folder that holds it as `$`. If the filesystem can swap two names, this is atomic. The
/// caller holds the slot's lock.
void nest(const Nesting &how, int folder, const char *name, std::string_view path);

/// Removes a temporary file or folder, unless a value would be lost.
void remove_temporary(int folder, const std::string &name);
/// The same for a leftover of a crash: only if it is more than an hour old and its owner is not at work.
void remove_leftover(const Tree &tree, int folder, const std::string &name);

} // namespace fs
