// SPDX-License-Identifier: Apache-2.0
#include "storage/mount_table.hpp"

#include <algorithm>

#include "storage/key.hpp"

namespace omnistore {

MountTable::MountTable(std::vector<std::shared_ptr<Mount>> mounts) : mounts_(std::move(mounts)) {
  std::sort(mounts_.begin(), mounts_.end(), [](const auto &a, const auto &b) { return a->mountpoint < b->mountpoint; });
  for (const auto &mount : mounts_) {
    if (mount->mountpoint.empty()) {
      root_ = mount.get();
      continue;
    }
    by_point_.emplace(mount->mountpoint, mount.get());
    first_[static_cast<unsigned char>(mount->mountpoint.front())] = true;
    depth_ = std::max(depth_, colons(mount->mountpoint) + 1);
  }
}

std::shared_ptr<Mount> MountTable::at(std::string_view mountpoint) const {
  const auto found =
      std::lower_bound(mounts_.begin(), mounts_.end(), mountpoint,
                       [](const auto &mount, std::string_view point) { return mount->mountpoint < point; });
  return found != mounts_.end() && (*found)->mountpoint == mountpoint ? *found : nullptr;
}

std::vector<const Mount *> MountTable::spanned(std::string_view base) const {
  std::vector<const Mount *> spanned;
  const Mount *holder = find(base);
  for (const auto &mount : mounts_)
    if (mount.get() == holder || std::string_view(mount->base).starts_with(base)) spanned.push_back(mount.get());
  return spanned;
}

bool MountTable::has_deeper(const Mount &mount) const {
  return std::any_of(mounts_.begin(), mounts_.end(), [&](const auto &other) {
    return other.get() != &mount && std::string_view(other->base).starts_with(mount.base);
  });
}

} // namespace omnistore
