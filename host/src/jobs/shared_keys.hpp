// SPDX-License-Identifier: Apache-2.0
// Finds out whether two ends of a job are one store under two names.
#pragma once

#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "jobs/endpoint.hpp"

namespace omnistore::jobs {

/// Keys that both ends of a job have, under two names: `target` + x is `source` + x, for every x.
struct SharedKeys {
  std::string source, target; ///< bases: each ends in ':', or is empty
};

/// Looks for keys that are written at one end and seen at the other, whatever lies between: two mounts of one folder, a
/// link, a layer, a cache, another config, a running host.
///
/// Writes a key with a random name and a ttl of a minute at both ends, looks for it at the other end, and removes it.
/// It looks at the place that a copy without a rewrite gives it, and at each place where one end can be a part of the
/// other, as far as the names in both configs tell. If an end is a host that runs elsewhere, its config is not known:
/// then all keys of both ends are listed. Every other look costs two writes, two removals and two batches of reads.
///
/// The target need not take the key unless something is moved, and neither must the source: an end that refuses every
/// write cannot lose anything. Throws Error if nothing can be found out because an end cannot be reached, and for a
/// move also if the source refuses the key. `verb` is for messages.
std::vector<SharedKeys> find_shared_keys(const std::string &verb, const Endpoint &from, const Endpoint &to, bool move);

/// Whether a key is one that find_shared_keys() wrote, which a kill may have left behind for a minute.
bool is_probe(std::string_view key);

/// The keys under which an end has a file of this machine: none if it is in none of the end's stores. A key is taken
/// for the file if its name, size and time of change are the file's.
std::vector<std::string> keys_of_file(const Endpoint &end, const std::string &file);

/// The names in a config that can be a part of a key in another config: paths, prefixes and addresses of the mounts
/// that a base spans. For Endpoint::places.
std::vector<std::string> places_of(const Config &config, std::string_view base);

} // namespace omnistore::jobs
