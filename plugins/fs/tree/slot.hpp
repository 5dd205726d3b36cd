// SPDX-License-Identifier: Apache-2.0
// One key's place in its folder: what lies there, and how it is replaced, so that a reader at any moment finds the old
// value or the new one.
//
// The value of `a` is the file `a`, or, where `a` is a folder (keys `a:...` exist), the file `a/$`.
//
// Whatever changes a place holds its lock. The locks are one set for the process, chosen by the folder's identity and
// the name in it, so that two stores whose folders overlap agree.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include "tree/owner.hpp"
#include "tree/tree.hpp"

namespace fs {

/// The lock of the name `name` in an open folder.
std::mutex &lock_of(int folder, std::string_view name);

/// What lies in a key's place.
struct Slot {
  enum class Kind { none, value, link };
  Kind kind = Kind::none; ///< link: a symbolic link; `status` is that of the file it leads to, if `leads`
  bool leads = true;
  Fd inner;         ///< the folder `a`, where the value's place is `a/$`
  int folder = -1;  ///< the folder of the place
  std::string name; ///< the place's name in it
  struct stat status {};

  bool has_value() const { return kind == Kind::value || (kind == Kind::link && leads); }
};

/// Looks. `path` is the key's whole path. Throws where what lies there is neither file, folder nor link.
Slot look(const Tree &tree, int folder, const char *name, const char *path);

/// Opens the slot's file to be read. No descriptor and errno where it cannot be.
Fd open_file(const Tree &tree, const Slot &slot, const char *path);

/// A new file with a name of its own in the folder where it will be needed; removed again unless it was moved away.
class TemporaryFile {
public:
  /// `mode`: exactly that, whatever the umask says. No file where the folder is gone: not valid. Throws on other
  /// failures.
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

/// The mode with which to make a file that replaces the slot's: nobody may open it who may not open that one. Where
/// there is none it is `mode`.
mode_t mode_of_new(const Slot &slot, mode_t mode);

/// Whether two files have the same owner, group and permissions; their ACLs are not looked at.
inline bool has_same_access(const Slot &one, const Slot &other) {
  return one.status.st_uid == other.status.st_uid && one.status.st_gid == other.status.st_gid &&
         one.status.st_mode == other.status.st_mode;
}

/// Gives a new file the owner, group, permissions and ACL of the slot's file, as far as the system allows. Where it
/// does not allow the group or the ACL, groups and others may do only what all of them might do before. The bits
/// set-uid and set-gid go, as they do when a file is written to.
void keep_access(const Tree &tree, const TemporaryFile &file, const Slot &slot, const char *path);

/// Moves the file to the slot. False: the place has changed since it was looked at; nothing was done, look again.
bool put(TemporaryFile &file, const Slot &slot, std::string_view path);

/// Unlinks the slot's file. False likewise.
bool unlink_slot(const Slot &slot, std::string_view path);

/// How folders are made and changed.
struct Nesting {
  Owner &owner;
  mode_t mode;  ///< of a new folder
  bool durable; ///< waits until it is on the medium
};
/// Makes the file `name` a folder that holds it as `$`, at once where the filesystem can. The caller holds the lock.
void nest(const Nesting &how, int folder, const char *name, std::string_view path);

/// Removes what is under a temporary name, where no value is lost.
void remove_temporary(int folder, const std::string &name);
/// The same of what a crash has left: only where it is more than an hour old, and its owner is not at work.
void remove_leftover(const Tree &tree, int folder, const std::string &name);

} // namespace fs
