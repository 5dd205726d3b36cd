// SPDX-License-Identifier: Apache-2.0
// The effect of a new config on a mount that exists.
#pragma once

#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "storage/mount_table.hpp"

namespace omnistore {

/// The detail of a mount that is kept because the config does not name it.
inline const std::string runtime_detail = "mounted while the host ran; the config does not name it";

/// Returns the change of `old` (null if there is none) when `wanted`, which is not open yet, takes its place. The host
/// keeps a store if it is open and its plugin, driver, options and layers are the same.
MountChange change_of(const Mount *old, bool was_open, const Mount &wanted);

/// Returns the changes of a host that was started with one config and reloads to another. Loads the plugins of both,
/// and opens no store. Throws ConfigError, naming the file.
std::vector<MountChange> changes_between(const Config &now, const Config &next);

} // namespace omnistore
