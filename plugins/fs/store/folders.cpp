// SPDX-License-Identifier: Apache-2.0
#include "store/folders.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expiry/expiry.hpp"
#include "tree/retry.hpp"
#include "tree/slot.hpp"

namespace fs {

namespace {

/// Returns the paths of the folders that a key lies in, below base, from the top.
std::vector<std::string_view> folders_of(const Path &path) {
  std::vector<std::string_view> folders;
  const std::string_view whole = path.folder();
  for (std::size_t end = 0; end < whole.size(); folders.push_back(whole.substr(0, end))) {
    end = std::min(whole.find('/', end + 1), whole.size());
  }
  return folders;
}

} // namespace

Fd Folders::open_holder(const Path &path) const {
  if (path.folder().empty()) {
    Fd base(retry(::fcntl, context_.tree.base(), F_DUPFD_CLOEXEC, 0));
    if (!base) fail(errno == EINVAL ? EMFILE : errno, path.text()); // EINVAL: the limit of descriptors is zero
    return base;
  }
  Fd holder = context_.tree.open_folder(path.folder());
  if (!holder && errno != ENOENT && errno != ENOTDIR) fail(errno, path.folder());
  return holder;
}

Fd Folders::make(std::string_view folder) const {
  if (folder.empty()) return {};
  const Path path(key_of(folder));
  Fd above = open_holder(path);
  if (!above) above = make(path.folder());
  if (!above) return {};
  const bool made = retry(::mkdirat, above.get(), path.name(), context_.settings.folder_mode) == 0;
  if (!made && errno == ENOENT) return {};
  if (!made && errno != EEXIST) fail(errno, folder);
  // Also if another thread made it, which may not have synced it yet.
  if (context_.settings.durability == Durability::full && retry(::fsync, above.get()) != 0) {
    const int error = errno;
    if (made) retry(::unlinkat, above.get(), path.name(), AT_REMOVEDIR);
    fail(error, folder);
  }
  Fd opened(retry(::openat, above.get(), path.name(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened && errno != ENOENT) opened = context_.tree.open_folder(folder); // a link to a folder
  if (made && opened) set_mode_of_folder(opened.get(), context_.settings.folder_mode);
  if (opened || errno == ENOENT) return opened;
  if (errno != ENOTDIR) fail(errno, folder);
  nest_value(above.get(), path);
  return context_.tree.open_folder(folder);
}

/// Turns a value's file into a folder that holds it. The value does not change.
void Folders::nest_value(int holder, const Path &path) const {
  const std::lock_guard lock(lock_of(holder, path.name()));
  std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.text());
  nest({context_.owner, context_.settings.folder_mode, context_.settings.is_durable()}, holder, path.name(),
       path.text());
  if (!place) return;
  const Slot slot = look(context_.tree, holder, path.name(), path.c_str());
  if (slot.has_value()) place->note_nested(slot.status);
}

void Folders::mark_expiring(const Path &path, int folder) const {
  if (has_expiring(folder, path.folder())) return;
  const auto mark = [this](int opened, std::string_view name) {
    const bool lasts = context_.settings.is_durable(); // the mark must outlive a power cut if the value does
    if (!fs::mark_expiring(opened) || (lasts && retry(::fsync, opened) != 0)) fail(errno, name);
  };
  mark(context_.tree.base(), "the base folder");
  for (const std::string_view above : folders_of(path)) {
    if (const Fd opened = context_.tree.open_folder(above))
      mark(opened.get(), above);
    else if (!is_gone(errno))
      fail(errno, above);
  }
}

void Folders::prune(std::string_view folder, bool durable) const {
  while (!folder.empty()) {
    const std::size_t slash = folder.rfind('/');
    const std::string name(folder.substr(slash == folder.npos ? 0 : slash + 1));
    folder = slash == folder.npos ? std::string_view() : folder.substr(0, slash);
    const Fd above = context_.tree.open_folder(folder);
    if (!above || retry(::unlinkat, above.get(), name.c_str(), AT_REMOVEDIR) != 0) return;
    if (durable) unsynced_.sync_folder(above.get(), folder.empty() ? std::string_view(name) : folder);
  }
}

} // namespace fs
