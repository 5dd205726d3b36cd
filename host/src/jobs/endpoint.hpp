// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// The caller of a job's operations: no person waits for them.
inline constexpr Caller background{{}, {}, true};
inline constexpr CallOptions in_background{std::chrono::milliseconds(0), nullptr, &background};

/// One end of a job: the keys under a base of a storage, which must outlive it.
struct Endpoint {
  /// Normalises `base`. Throws Error(invalid).
  Endpoint(Storage &storage, std::string_view base);

  Storage *storage;
  std::string base; ///< ends in ':', or is empty
  std::string name; ///< of the storage, such as a config's file or a URL, for messages and a job's identity
  /// Names that another storage may have before its keys (places_of() finds those of a config); nullopt if unknown.
  std::optional<std::vector<std::string>> places;

  /// Returns the base as people write it, without the ':' at its end.
  std::string shown() const { return base.substr(0, base.empty() ? 0 : base.size() - 1); }
};

} // namespace omnistore::jobs
