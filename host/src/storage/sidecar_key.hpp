// SPDX-License-Identifier: Apache-2.0
// A key's sidecar: `k$` belongs to `k`. A Storage shows the user meta of `k` under it, and the host keeps there the
// expiry or user meta that a driver cannot keep (emulation/sidecar_layer.hpp). A layer's own keys end in `$` too, so
// that no listing shows them. No other key ends in `$`.
#pragma once

#include <string>
#include <string_view>

namespace omnistore {

inline bool is_sidecar(std::string_view key) { return key.ends_with('$'); }
inline std::string sidecar_of(std::string_view key) { return std::string(key).append(1, '$'); }
/// Returns the key of a sidecar.
inline std::string_view owner_of(std::string_view sidecar) { return sidecar.substr(0, sidecar.size() - 1); }

} // namespace omnistore
