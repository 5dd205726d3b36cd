// SPDX-License-Identifier: Apache-2.0
// What is asked of a plugin file before a byte of it is believed: that nobody else can write it, and
// that it is what it was pinned to.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace omnistore::loader {

/// Throws Unfit where someone other than root and `user` could change the file, or put another in its place: by the
/// owner or mode of the file, or of any folder above it up to '/', by its name as by what a symbolic link leads to.
/// A folder that all may write is good where it is sticky, as /tmp is. `file` is absolute.
void vet_permissions(const std::string &file, uid_t user);

/// The same of a folder and those above it.
void vet_folder_permissions(const std::string &folder, uid_t user);

/// Throws Unfit unless the SHA-256 of the bytes is what `pin` ("sha256:HEX") says.
void vet_pin(std::string_view bytes, const std::string &pin);

/// "sha256:HEX" of some bytes.
std::string sha256(std::string_view bytes);

} // namespace omnistore::loader
