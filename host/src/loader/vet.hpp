// SPDX-License-Identifier: Apache-2.0
// The checks of a plugin file before any byte of it is trusted: nobody else can write it, and it is the
// file that was pinned.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace omnistore::loader {

/// Throws PluginError if anyone but root and `user` could change or replace the file, because of the owner or mode of
/// the file or of any folder above it up to '/'. It checks the path as named and the target of each symbolic link. A
/// folder that everybody may write is allowed if it is sticky, such as /tmp. `file` is absolute.
void vet_permissions(const std::string &file, uid_t user);

/// The same for a folder and those above it.
void vet_folder_permissions(const std::string &folder, uid_t user);

/// Throws PluginError unless the SHA-256 of the bytes equals `pin` ("sha256:HEX").
void vet_pin(std::string_view bytes, const std::string &pin);

/// Returns "sha256:HEX" for some bytes.
std::string sha256(std::string_view bytes);

} // namespace omnistore::loader
