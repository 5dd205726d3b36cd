// SPDX-License-Identifier: Apache-2.0
// What a new config means for a mount that is there.
#pragma once

#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "storage/mount_table.hpp"

namespace omnistore {

/// Of a mount that is kept since the config says nothing of it.
inline const std::string runtime_detail = "mounted while the host ran; the config does not name it";

/// Returns what happens to `old` (null: there is none) when `wanted`, which is not open yet, takes its place. The host
/// keeps a store if it is open and its plugin, driver, options and layers are the same.
MountChange change_of(const Mount *old, bool was_open, const Mount &wanted);

/// What a host that was started with one config changes when it reloads to another. Loads the plugins of both, and
/// opens no store. Throws ConfigError, naming the file.
std::vector<MountChange> changes_between(const Config &now, const Config &next);

} // namespace omnistore
