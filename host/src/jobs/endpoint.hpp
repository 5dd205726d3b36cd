// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::jobs {

/// What the operations of a job are done for: nobody waits for them in person.
inline constexpr Caller background{{}, {}, true};
inline constexpr CallOptions in_background{std::chrono::milliseconds(0), nullptr, &background};

/// Where a job reads or writes: the keys under a base of a storage, which must outlive it.
struct Endpoint {
  /// `base` is brought into its normal form; throws Error(invalid).
  Endpoint(Storage &storage, std::string_view base);

  Storage *storage;
  std::string base; ///< ends in ':', or is empty
  std::string name; ///< of the storage, for messages and a job's identity; as a config's file or a URL
  /// Names that its keys may have in front in another storage (places_of() gives a config's); nothing: not known.
  std::optional<std::vector<std::string>> places;

  /// The base as people write it, without the ':' at its end.
  std::string shown() const { return base.substr(0, base.empty() ? 0 : base.size() - 1); }
};

} // namespace omnistore::jobs
