// SPDX-License-Identifier: Apache-2.0
// What the admin listener tells, as JSON.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "loader/registry.hpp"
#include "server/listener_stats.hpp"
#include "server/reloader.hpp"

namespace omnistore::server {

/// {size, mtime, expiry, etag, user}: bytes, Unix milliseconds, null for what is not known or not set. The user's meta
/// is JSON if it is JSON, and to_text() prints it as it is; other text is a string; other bytes are base64 in "user64".
boost::json::object describe(const Meta &meta);

/// What describe() gave, or holds in it what it gave, as text on one line.
std::string to_text(const boost::json::value &described);
/// {driver, version, file, capabilities, children}, as in the next.
boost::json::object describe(const StoreInfo &store);

/// {"mounts": [{mountpoint, prefix, ttl, read_only, available, reason, store: {driver, version, file, capabilities,
/// children}}]}; a capability is "native", "emulated" or "no".
boost::json::object describe(const std::vector<MountInfo> &mounts);

/// The same with "draining": [{id, store, mountpoint, driver, state, age, calls, readers, watches, running:
/// [{operation, age, waits_for_client}], waits_for}] if there are such stores: those that were taken out and are not
/// closed yet. A state is "opening", "in use" or "closing"; an age is in seconds.
boost::json::object describe_mounts(const Storage &storage);
boost::json::array describe(const std::vector<DrainingStore> &stores);
/// "opening", "in use" or "closing".
const char *state_name(DrainingStore::State state);

/// {"drivers": [{name, version, summary, file, plugin, abi, capabilities, schema}], "rejects": [{file, reason,
/// advice}], "searched": [...]}. Loads every plugin. The capabilities of a driver are those of its first opened store
/// where there is one (options can make a difference), else those that its table states.
boost::json::object describe(loader::Registry &registry, const std::vector<MountInfo> &mounts);

/// {"time", "mounts": [...], "listeners": [...], "threads": {total, idle, stuck, waiting, lanes: [...]}, "memory":
/// {...}, "reloads":
/// {...}, "process": {...}}; "time" in Unix milliseconds. A lane is a store's share of the threads,
/// with the store's number as in "draining"; a stuck thread is one whose driver has not come back from a request that
/// nobody waits for any more, and "waiting" counts requests. "memory" is what connections, requests and answers take,
/// in bytes, what is kept spare for the next long value, and how often there was not enough for one.
boost::json::object describe(const std::vector<MountStats> &mounts, const HostState &host);

/// {"config", "profile", "mounts": [{mountpoint, driver, change, details}], "later": [...]}; a change is "added",
/// "kept", "replaced" or "removed".
boost::json::object describe(const Reload &reload, const Config &config);

/// {key, mount, prefix, inside, ttl, read_only, status, message, meta, layer:
/// {driver, place}, store: {driver, outcome, order, asked, time, message, about, children}}. What is not known or not
/// so is null; of a store that was not asked only driver, outcome and children are there. Times are microseconds.
boost::json::object describe(const Explanation &explanation);

} // namespace omnistore::server
