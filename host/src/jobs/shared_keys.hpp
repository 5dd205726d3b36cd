// SPDX-License-Identifier: Apache-2.0
// Finds out if the two ends of a job are one store under two names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "jobs/endpoint.hpp"

namespace omnistore::jobs {

/// Keys that both ends of a job have under two names: for every x, `target` + x is the same key as `source` + x.
struct SharedKeys {
  std::string source, target; ///< bases: each ends in ':', or is empty
};

/// Looks for keys that one end writes and the other end sees, whatever the reason: two mounts of one folder, a link, a
/// layer, a cache, another config, a running host.
///
/// Writes a key with a random name and a ttl of a minute at both ends, looks for it at the other end, and removes it.
/// It looks at the place of the key in a copy without a rewrite, and at each place at which one end can be a part of
/// the other, by the names in both configs. If an end is a host that runs elsewhere, its config is unknown, and all
/// keys of both ends are listed. In all other cases this costs two writes, two removals and two batches of reads.
///
/// Both ends may refuse the key, since an end that refuses every write cannot lose anything; for a move the source must
/// take it. Throws Error if an end cannot be reached, and for a move if the source refuses the key. `verb` is for
/// messages.
std::vector<SharedKeys> find_shared_keys(const std::string &verb, const Endpoint &from, const Endpoint &to, bool move);

/// The same for a dump and a restore that are joined by a pipe. The restore writes keys whose names contain the id of
/// the dump, and the dump looks for them. The destructor removes the keys. A write that fails is left out.
class RestoreProbes {
public:
  /// Writes under the target's base, under each mount below it, and at the places under it at which the dump's base can
  /// lie.
  RestoreProbes(const Endpoint &to, const std::string &dump_id, std::string_view dump_base);
  ~RestoreProbes();

private:
  class Written;
  std::unique_ptr<Written> written_;
};
/// Looks for such a key at the source of a dump. Lists all of its keys if there is none at the expected places.
std::optional<SharedKeys> find_restore(const Endpoint &from, const std::string &dump_id);
/// Returns the last segment of such a key.
std::string restore_probe(const std::string &dump_id);

/// Returns true for a key that find_shared_keys() or a RestoreProbes wrote. After a kill such a key can stay for a
/// minute.
bool is_probe(std::string_view key);

/// Returns the keys under which an end has a file of this machine, if any. A key counts as the file if its name, size
/// and time of change are the file's.
std::vector<std::string> keys_of_file(const Endpoint &end, const std::string &file);

/// Returns the names in a config that can be a part of a key in another config: paths, prefixes and addresses of the
/// mounts under a base. For Endpoint::places.
std::vector<std::string> places_of(const Config &config, std::string_view base);

} // namespace omnistore::jobs
